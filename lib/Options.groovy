// Pipeline parameters as options of a script: batch_size -> --batch-size 0.

class Options {

    static String join(Map parameters, List<String> names) {
        names.collect { "--${it.replace('_', '-')} ${parameters[it]}" }.join(' ')
    }
}
