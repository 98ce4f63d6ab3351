// The way of the data: one row of the samplesheet is one class; rows with the same target share one sequence.

import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic

include { CHECK_INPUT } from '../modules/check_input'
include { FETCH_WEIGHTS } from '../modules/fetch_weights'
include { PREPARE_SEQUENCE } from '../modules/prepare_sequence'
include { PREPARE_MAP } from '../modules/prepare_map'
include { EMBED_SEQUENCE } from '../modules/embed_sequence'
include { DOCK_MODEL } from '../modules/dock_model'
include { SAMPLE_GUIDED } from '../modules/sample_guided'
include { SELECT_MODELS } from '../modules/select_models'
include { COMPARE_CLASSES } from '../modules/compare_classes'
include { WRITE_REPORT } from '../modules/write_report'

workflow CLASSFOLD {
    take:
    input          // /data/samplesheet.csv
    code           // 3f0a…, digest of bin/classfold, so that -resume sees edits there

    main:
    sheet = new Samplesheet(input)
    cells = sheet.cells()
    given = params.weights ? file(params.weights, glob: false) : null
    if (given) cells << [row: 0, column: 'weights', cell: params.weights, path: given, found: given.isDirectory()]
    others = new OtherModels(params.compare)
    cells += others.cells()
    found = cells.findAll { it.found && it.column != 'weights' }.collect { it.path }.unique()
    staged = Results.keep(workflow.workDir, 'staged.csv', [['row', 'column', 'cell', 'path', 'staged']]
        .plus(cells.collect { [it.row, it.column, it.cell, it.path?.toUriString() - ~'^file://', staged_name(it, found)] })
        .collect { Samplesheet.csv(it) }.join())

    CHECK_INPUT(code, input, staged, found, given?.isDirectory() ? given : [])

    // Not JsonSlurper, which builds a map when it is first read: several operators read a row at once.
    rows = CHECK_INPUT.out.checked                            // [target:adk, class:open, resolution:4.0, map:maps/open.mrc, …]
        .flatMap { new JsonSlurperClassic().parseText(it.text).rows }
    CHECK_INPUT.out.checked.subscribe { new JsonSlurperClassic().parseText(it.text).warnings.each { log.warn it } }
    sizes = rows.map { [it.target, it.class] }.groupTuple()   // [adk, [closed, open]]
        .map { target, names -> [target, names.size()] }      // [adk, 2]

    if (given) weights = given                                // /data/boltz
    else {
        cache = file("${params.weights_cache}/${params.prior}")
        cache.mkdirs()
        FETCH_WEIGHTS(code, CHECK_INPUT.out.checked.map { params.prior }, cache)
        weights = FETCH_WEIGHTS.out.map { cache }.first()     // /home/me/.cache/classfold/boltz1
    }

    PREPARE_SEQUENCE(code,
        rows.map { [it.target, it.sequence, it.msa] }.unique { it[0] } // [adk, adk.fasta, none, []]
            .map { target, cell, msa -> [target, sheet.staged(cell), msa, msa in ['none', 'server'] ? [] : sheet.staged(msa)] },
        weights)
    sequences = PREPARE_SEQUENCE.out.sequence                 // [adk, adk.sequence]
        .map { target, folder -> Sizes.note(target, folder); [target, folder] }

    PREPARE_MAP(code,
        rows.map { [it.target, it.class, it.subMap('resolution', 'contour'), it.sha256, sheet.staged(it.map),
                    it.half_map_1 ? [sheet.staged(it.half_map_1), sheet.staged(it.half_map_2)] : [], sheet.staged(it.mask)] }
            .combine(sequences, by: 0))                       // [adk, open, [resolution:4.0, contour:null], [map:3f0a…], open.mrc, [], [], adk.sequence]
    maps = PREPARE_MAP.out.map                                // [adk, open, adk.open.map]

    EMBED_SEQUENCE(code, sequences, weights)
    embeddings = EMBED_SEQUENCE.out.embedding                 // [adk, adk.embedding]
    folded = sequences.join(embeddings)                       // [adk, adk.sequence, adk.embedding]

    DOCK_MODEL(code,
        maps.join(rows.map { [it.target, it.class, sheet.staged(it.initial_model)] }, by: [0, 1])
            .combine(folded, by: 0))                          // [adk, open, adk.open.map, [], adk.sequence, adk.embedding]
    docked = DOCK_MODEL.out.docking                           // [adk, open, adk.open.docking, [flipped/adk.open.map] or []]
    dockings = docked.map { it[0..2] }                        // [adk, open, adk.open.docking]
    maps = maps.join(docked, by: [0, 1])                      // [adk, open, adk.open.map]: the flipped one, where it was flipped
        .map { target, name, map, docking, flipped -> [target, name, flipped ? flipped[0] : map] }

    SAMPLE_GUIDED(code,
        by_target(maps.join(dockings, by: [0, 1]), sizes)     // [adk, [closed, open], [adk.closed.map, …], [adk.closed.docking, …]]
            .flatMap { target, names, map, docking ->
                [names, map, docking]*.collate(classes_per_task()).transpose().collect { [target, *it] } }
            .combine(folded, by: 0),
        weights)
    samples = SAMPLE_GUIDED.out.samples                       // [adk, open, adk.open.samples]
        .transpose().map { target, folder -> [target, folder.name.tokenize('.')[1], folder] }

    SELECT_MODELS(code,
        maps.join(dockings, by: [0, 1]).join(samples, by: [0, 1])
            .map { target, name, map, docking, sample ->
                def compared = others.of(target, name)        // [[angelo, models/adk.open.cif]]
                [target, name, map, docking, sample, known_structure(target, name), compared*.get(0), compared*.get(1)] }
            .combine(sequences, by: 0))                       // [adk, open, adk.open.map, adk.open.docking, adk.open.samples, [], [], [], adk.sequence]
    models = SELECT_MODELS.out.models                         // [adk, open, adk.open.models]

    COMPARE_CLASSES(code, by_target(maps.join(models, by: [0, 1]), sizes).combine(sequences, by: 0))

    set_aside = SAMPLE_GUIDED.out.failures.flatten()          // adk.open.failure
    stages = [sequences, embeddings, maps, dockings, samples, models].inject(COMPARE_CLASSES.out.comparison.mix(set_aside)) { all, next ->
        all.mix(next.map { it.last() }) }
    stages.subscribe { Results.publish(it, file(params.outdir)) }

    parameters = CHECK_INPUT.out.checked.map { record(new JsonSlurperClassic().parseText(it.text).versions) }
    parameters.subscribe { Results.copy(it, file("${params.outdir}/pipeline_info/params.json")) }
    left = stages.toSortedList { a, b -> a.name <=> b.name }  // [adk.closed.docking, …], when all stages have ended
    failures = rows.toList().map { [it] }.combine(left.map { [it] }) // failures.json
        .map { sheet_rows, folders -> Results.keep(workflow.workDir, 'failures.json',
            JsonOutput.prettyPrint(JsonOutput.toJson(Failures.record(sheet_rows, folders)))) }
    // Without a single map there is nothing to show.
    WRITE_REPORT(code, left.filter { folders -> folders.any { it.extension == 'map' } }, parameters, CHECK_INPUT.out.checked, failures)

    emit:
    summary = WRITE_REPORT.out.summary
}

// [adk, [closed, open], [folders of the first kind], [folders of the second]]: in the order of the names, or -resume would see new tasks.
def by_target(items, sizes) {
    items.combine(sizes, by: 0)
        .map { target, name, first, second, size -> [groupKey(target, size), [name, first, second]] }
        .groupTuple(remainder: true)   // a target with a class that failed is complete when nothing more can come
        .map { target, members -> [target.target, *members.sort { it[0] }.transpose()] }
}

// How many classes of a target share one sampling task: enough of them share the loading of the network and its batches.
def classes_per_task() {
    def samples = (params.samples as int) * (params.replicates as int)
    params.classes_per_task == 'auto' ? Math.max(1, Math.ceil(300 / samples) as int) : params.classes_per_task as int
}

// Where CHECK_INPUT finds a staged file: staged/<number>/<name>.
def staged_name(cell, found) {
    if (cell.column == 'weights') return cell.found ? 'weights_folder' : ''
    cell.found ? "staged/${found.indexOf(cell.path) + 1}/${cell.path.name}" : ''
}

// <target>.<class>.cif of --reference_models, if there is one.
def known_structure(target, name) {
    def model = params.reference_models ? file("${params.reference_models}/${target}.${name}.cif", glob: false) : null
    model?.exists() ? model : []
}

// params.json: the parameters and the versions of what runs.
def record(versions) {
    def software = [classfold: workflow.manifest.version, nextflow: nextflow.version.toString()] + versions
    Results.keep(workflow.workDir, 'params.json',
        JsonOutput.prettyPrint(JsonOutput.toJson([parameters: new TreeMap(params), versions: software])))
}
