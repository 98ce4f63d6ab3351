// The parameters as nextflow_schema.json declares them: defaults, checks, help text.

import groovy.json.JsonSlurper
import java.nio.file.Path

class Parameters {

    private final Map<String, Map> groups

    Parameters(Path schema) {
        groups = new JsonSlurper().parse(schema.toFile())['$defs'] as Map
    }

    Map<String, Map> declared() {
        groups.values().collectEntries { group -> group.properties }
    }

    /** Sentences about everything wrong in `given`; none when all is well. */
    List<String> problems(Map given) {
        def names = declared()
        def unknown = given.keySet().findAll { !(it in names) }
        // Nextflow stores --some-thing a second time as someThing: one complaint is enough.
        def hyphenated = unknown.findAll { it.contains('-') }.collect { camel(it) }
        def sentences = (unknown - hyphenated).collect { "--$it is not a parameter of this pipeline; did you mean --${nearest(it)}?" }
        def required = groups.values().collectMany { it.required ?: [] }
        sentences += required.findAll { given[it] in [null, '', true] }.collect {
            "--$it is missing: ${names[it].description}"
        }
        sentences + given.findAll { name, value -> name in names && value != null && !(name in required && value == true) }
            .collectMany { name, value -> violations(name, value, names[name]) }
    }

    private static List<String> violations(String name, Object value, Map rule) {
        def text = value.toString()
        if (rule.type == 'integer' && !(text ==~ /-?\d+/)) return ["--$name is '$text': write a whole number."]
        if (rule.type == 'boolean' && !(text in ['true', 'false'])) return ["--$name is '$text': write true or false."]
        if (rule.type == 'string' && value instanceof Boolean) return ["--$name has no value: ${rule.description}"]
        if (rule.enum && !(text in rule.enum)) return ["--$name is '$text': allowed is ${alternatives(rule.enum)}."]
        if (rule.pattern && !(text ==~ rule.pattern)) return ["--$name is '$text': ${rule.errorMessage ?: 'it holds characters that are not allowed here'}."]
        if (rule.minimum != null && (text as BigInteger) < rule.minimum) return ["--$name is $text: the least allowed is ${rule.minimum}."]
        []
    }

    /** 'a, b or c'. */
    private static String alternatives(List<String> names) {
        names.size() == 1 ? names[0] : "${names.init().join(', ')} or ${names.last()}"
    }

    private static String camel(String name) {
        name.replaceAll(/-(\w)/) { all, letter -> letter.toUpperCase() }
    }

    private String nearest(String name) {
        def plain = { it.toLowerCase().replaceAll(/[-_]/, '') }
        declared().keySet().min { distance(plain(it), plain(name)) }
    }

    /** Levenshtein distance. */
    private static int distance(String a, String b) {
        def row = (0..b.size()).toList()
        for (int i = 1; i <= a.size(); i++) {
            def next = [i]
            for (int j = 1; j <= b.size(); j++)
                next << [row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)].min()
            row = next
        }
        row[-1]
    }

    String help(Map defaults) {
        def text = new StringBuilder('''
            |ClassFold: an atomic model for every class of a cryo-EM 3D classification.
            |
            |    ./classfold run -profile demo
            |    nextflow run . --input samplesheet.csv --outdir results [-profile slurm,singularity] [-resume]
            |'''.stripMargin())
        groups.values().each { group ->
            text << "\n${group.title}\n"
            group.properties.each { name, rule ->
                def given = defaults[name]
                def note = given == null || rule.type == 'boolean' ? '' : " [${given}]"
                text << "  --${name.padRight(18)}${wrap(rule.description + note, 90, ' ' * 22)}\n"
            }
        }
        text << '\nProfiles: demo, test, local, slurm, awsbatch, google_batch, k8s, docker, podman,\n  singularity, apptainer, charliecloud. More: docs/usage.md\n'
    }

    private static String wrap(String text, int width, String indent) {
        def lines = ['']
        text.tokenize(' ').each { word ->
            if (lines[-1].size() + word.size() >= width) lines << word
            else lines[-1] = (lines[-1] + ' ' + word).trim()
        }
        lines.join("\n$indent")
    }
}
