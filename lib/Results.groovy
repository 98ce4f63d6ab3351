// Where files go in the results folder, and what is said on the terminal at the end.

import groovy.json.JsonOutput
import java.nio.file.FileSystems
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardCopyOption
import java.security.MessageDigest
import nextflow.file.FileHelper

class Results {

    private static final List<String> KEPT = ['cif', 'csv', 'json', 'png', 'cxc', 'py', 'pml', 'eff']
    private static final String MAP = 'map.mrc'
    private static final String OF_SOME_RUNS = /model_\d+\.cif|others\.(csv|json)/
    private static final List<String> SHOWN = ['target', 'class', 'population', 'n_samples', 'n_finished', 'cc_mask', 'unguided_cc_mask', 'clashes', 'confidence',
        'best_ca_rmsd_angstrom', 'unguided_ca_rmsd_angstrom', 'gpu_minutes', 'compute_minutes', 'n_warnings']

    /** adk.open.map -> adk/open/map; models and samples of a class go to its own folder. */
    static String place(String folder) {
        def parts = folder.tokenize('.')
        if (parts.size() == 2) return parts[0] + (parts[1] == 'embedding' ? '/unguided' : "/${parts[1]}")
        parts[2] in ['models', 'samples'] ? "${parts[0]}/${parts[1]}" : parts.join('/')
    }

    /**
     * Copy what people read of a stage's folder (no arrays, one map of a class) to its place in the results. publishDir
     * cannot do that: it takes folders as a whole, and several stages share the folder of a class.
     */
    static void publish(Path folder, Path outdir) {
        def place = outdir.resolve(place(folder.name))
        def samples = place.resolve('samples')
        // An earlier run with more models must not leave them among those of this one.
        if (folder.name.endsWith('.models') && place.exists()) {
            if (samples.exists()) samples.deleteDir()
            Files.list(place).withCloseable { it.toList() }.findAll { it.name ==~ OF_SOME_RUNS }.each { Files.delete(it) }
        }
        Files.walk(folder).withCloseable { it.toList() }.each { Path source ->
            if (!kept(folder, source) || !Files.isRegularFile(source)) return
            copy(source, place.resolve(folder.relativize(source).toString() - ~'^unguided/'))
        }
    }

    /** A class's map is handed over beside its models; the same in map/ and the half maps stay in the work folder. */
    private static boolean kept(Path folder, Path source) {
        source.extension in KEPT || (folder.name.endsWith('.models') && source.name == MAP)
    }

    static void copy(Path source, Path target) {
        whole(target) { FileHelper.copyPath(source, it, StandardCopyOption.REPLACE_EXISTING) }
    }

    static void write(Path target, Map record) {
        whole(target) { it.text = JsonOutput.prettyPrint(JsonOutput.toJson(record)) + '\n' }
    }

    /** A file is in its place when it is whole: on a full disk, or after a kill, half of one must not pass for it. */
    private static void whole(Path target, Closure writes) {
        Files.createDirectories(target.parent)
        // Object stores show no file before it is whole, and cannot rename.
        if (target.fileSystem != FileSystems.default) {
            writes(target)
            return
        }
        def partial = target.resolveSibling("${target.name}.partial")
        try {
            writes(partial)
            Files.move(partial, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE)
        } finally {
            Files.deleteIfExists(partial)
        }
    }

    /** A small file in the work folder, under its own digest: the same text is the same file in a resumed run. */
    static Path keep(Path workDir, String name, String text) {
        def digest = MessageDigest.getInstance('SHA-256').digest(text.bytes).encodeHex().toString()
        def file = workDir.resolve("written/${digest.take(16)}/$name")
        if (!file.exists()) whole(file) { it.text = text }
        file
    }

    /** Digest of bin/classfold/: Nextflow's own task hash does not see that folder, so every process takes this as input. */
    static String fingerprint(Path folder) {
        def digest = MessageDigest.getInstance('SHA-256')
        def files = []
        folder.toFile().eachFileRecurse(groovy.io.FileType.FILES) {
            if (!it.path.contains('__pycache__')) files << it
        }
        files.sort { it.path }.each {
            digest.update(folder.relativize(it.toPath()).toString().bytes)
            digest.update(it.bytes)
        }
        digest.digest().encodeHex().toString()
    }

    /** The columns of summary.csv that decide whether one looks further, aligned; all of them are in the file. */
    static String table(String csv) {
        def (header, rows) = csv.readLines().findAll { it }.collect { Samplesheet.split(it, ',') }.with { [it.head(), it.tail()] }
        def columns = header.findIndexValues { it in SHOWN }.findAll { index -> rows.any { it[index as int] } }
        def lines = [columns.collect { header[it as int] }] + rows.collect { row -> columns.collect { short_form(row[it as int]) } }
        def width = lines.transpose().collect { column -> column*.size().max() }
        lines.collect { line -> '  ' + [line, width].transpose().collect { cell, size -> cell.padRight(size + 2) }.join('').stripTrailing() }
            .join('\n')
    }

    private static String short_form(String cell) {
        cell ==~ /-?\d+\.\d{3,}/ ? (cell as BigDecimal).setScale(2, java.math.RoundingMode.HALF_UP).toString() : cell
    }
}
