// The models of --compare: name=model.cif for all classes, or name=folder/ with a file for each; commas between several.

import java.nio.file.Files
import java.nio.file.Path
import nextflow.Nextflow

class OtherModels {

    private static final List<String> ENDINGS = ['cif', 'pdb']
    /** [name: 'angelo', given: 'angelo=models', path: /data/models, folder: true] */
    private final List<Map> entries

    OtherModels(Object given) {
        entries = given ? given.toString().split(',').collect { entry(it.trim()) } : []
    }

    /** Sentences about everything wrong; none when all is well. */
    List<String> problems() {
        def names = entries*.name
        entries.collectMany { each ->
            if (!(each.name ==~ /[A-Za-z0-9][A-Za-z0-9_-]{0,63}/))
                return ["--compare: '${each.given}' has no name that is allowed: write name=model.cif or name=folder, the name of up to 64 of A-Z, a-z, 0-9, _ and -."]
            if (names.count(each.name) > 1) return ["--compare: the name '${each.name}' is there twice: give each model a name of its own."]
            if (!each.path || !Files.exists(each.path)) return ["--compare: ${each.given}: there is no such file or folder (${each.path})."]
            if (each.folder && !files(each.path))
                return ["--compare: ${each.given}: the folder holds no model: name the files <target>.<class>.cif or <class>.cif (or .pdb)."]
            []
        }.unique()
    }

    /** What CHECK_INPUT opens, as Samplesheet's cells: every model of a folder by itself. */
    List<Map> cells() {
        entries.collectMany { each ->
            def column = each.folder ? 'compare_folder' : 'compare'
            (each.folder ? files(each.path) : [each.path]).collect { path ->
                [row: 0, column: column, cell: each.folder ? "${each.given}/${path.name}" : each.given, path: path, found: true]
            }
        }
    }

    /** The models of one class: [['angelo', /data/models/adk.open.cif]]. */
    List<List> of(String target, String name) {
        entries.collect { each -> [each.name, each.folder ? of_class(each.path, target, name) : each.path] }.findAll { it[1] }
    }

    private static Map entry(String text) {
        def (name, place) = text.contains('=') ? text.split('=', 2) : ['', text]
        def path = place ? Nextflow.file(place, glob: false) as Path : null
        [name: name, given: text - ~'/+$', path: path, folder: path != null && Files.isDirectory(path)]
    }

    private static Path of_class(Path folder, String target, String name) {
        [["$target.$name", name], ENDINGS].combinations().collect { stem, ending -> folder.resolve("$stem.$ending") }
            .sort { !it.name.startsWith("$target.") }.find { Files.exists(it) }
    }

    private static List<Path> files(Path folder) {
        Files.list(folder).withCloseable { it.toList() }.findAll { it.extension in ENDINGS && Files.isRegularFile(it) }.sort()
    }
}
