// Finds the files that a samplesheet names, so that they can be staged. What is wrong with the sheet is told by CHECK_INPUT.

import java.nio.file.Files
import java.nio.file.Path
import nextflow.Nextflow

class Samplesheet {

    static final List<String> FILE_COLUMNS = ['map', 'sequence', 'half_map_1', 'half_map_2', 'mask', 'msa', 'initial_model']
    private final Path sheet

    Samplesheet(Path sheet) { this.sheet = sheet }

    /** Every cell that names a file: [row: 2, column: 'map', cell: 'open.mrc', path: /data/open.mrc, found: true]. */
    List<Map> cells() {
        def lines = text().readLines()
        def first = lines.findIndexOf { it.trim() }
        if (first < 0) return []
        def delimiter = [',', ';', '\t'].max { lines[first].count(it) }
        def header = split(lines[first], delimiter)*.toLowerCase()
        (first + 1..<Math.max(lines.size(), first + 1)).collectMany { index ->
            [header, split(lines[index], delimiter)].transpose()
                .findAll { column, cell -> column in FILE_COLUMNS && cell && !(column == 'msa' && cell in ['none', 'server']) }
                .collect { column, cell -> [row: index + 1, column: column, cell: cell] + locate(cell) }
        }
    }

    /** The file that a cell names; paths are relative to the samplesheet. */
    Path resolve(String cell) {
        if (cell.startsWith('/') || cell.contains('://')) return Nextflow.file(cell, glob: false) as Path
        sheet.parent.resolve(cell).normalize()
    }

    /** The file of a cell as a process takes it: an empty cell is no file. */
    Object staged(String cell) {
        cell ? resolve(cell) : []
    }

    private Map locate(String cell) {
        try {
            def path = resolve(cell)
            return [path: path, found: Files.isRegularFile(path) || (cell.contains('://') && Files.exists(path))]
        } catch (Exception ignored) {
            return [path: null, found: false]
        }
    }

    private String text() {
        sheet.getText('UTF-8').replace('\uFEFF', '')
    }

    /** Cells of one line; a quoted cell may hold the delimiter, and a doubled quote inside it is a quote. */
    static List<String> split(String line, String delimiter) {
        def cells = [new StringBuilder()]
        boolean quoted = false
        for (int i = 0; i < line.size(); i++) {
            def letter = line[i]
            if (letter == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') { cells[-1] << '"'; i++ }
            else if (letter == '"') quoted = !quoted
            else if (letter == delimiter && !quoted) cells << new StringBuilder()
            else cells[-1] << letter
        }
        cells.collect { it.toString().trim() }
    }

    /** One line of staged.csv. */
    static String csv(List values) {
        values.collect { '"' + (it == null ? '' : it.toString()).replace('"', '""') + '"' }.join(',') + '\n'
    }
}
