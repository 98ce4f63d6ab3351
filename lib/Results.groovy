// Where files go in the results folder, and what is said on the terminal at the end.

import java.nio.file.Path
import java.security.MessageDigest

class Results {

    private static final List<String> KEPT = ['cif', 'csv', 'json', 'png']

    /** adk.open.map/map.png -> adk/open/map/map.png; null for what only the stages need (arrays, folders as a whole). */
    static String place(Object output) {
        def name = output.toString()
        if (!name.contains('/') || !(name.tokenize('.')[-1] in KEPT)) return null
        def (folder, file) = [name.substring(0, name.indexOf('/')), name.substring(name.indexOf('/') + 1)]
        def parts = folder.tokenize('.')
        if (parts.size() == 2) return "${parts[0]}/${parts[1] == 'embedding' ? 'unguided' : parts[1]}/${file - ~'^unguided/'}"
        parts[2] in ['models', 'samples'] ? "${parts[0]}/${parts[1]}/$file" : "${parts[0]}/${parts[1]}/${parts[2]}/$file"
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

    /** summary.csv as aligned columns. */
    static String table(String csv) {
        def rows = csv.readLines().findAll { it }.collect { it.split(',', -1)*.replace('"', '') as List }
        def width = rows.transpose().collect { column -> column*.size().max() }
        rows.collect { row -> '  ' + [row, width].transpose().collect { cell, size -> cell.padRight(size + 2) }.join('').stripTrailing() }
            .join('\n')
    }
}
