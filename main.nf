#!/usr/bin/env nextflow
// ClassFold: an atomic model for every class of a cryo-EM 3D classification.

include { CLASSFOLD } from './workflows/classfold'

workflow {
    help_or_refuse(new Parameters(projectDir.resolve('nextflow_schema.json')))
    CLASSFOLD(file(params.input, glob: false), Results.fingerprint(projectDir.resolve('bin/classfold')))
}

def help_or_refuse(declared) {
    if (params.help) {
        print declared.help(params)
        exit 0
    }
    def problems = declared.problems(params)
    def input = params.input instanceof CharSequence ? file(params.input, glob: false) : null
    if (input && !input.exists()) problems << "--input is '${params.input}': there is no such file (${input})."
    if (problems) {
        System.err.println "ClassFold did not start:\n  ${problems.join('\n  ')}\nThe option --help lists the parameters."
        exit 2
    }
}

workflow.onComplete {
    def summary = file("${params.outdir}/summary.csv")
    if (workflow.success && summary.exists())
        println "\n${Results.table(summary.text)}\n\nReport: ${file("${params.outdir}/report.html")}"
}

workflow.onError {
    System.err.println "\nClassFold stopped. What was said last:\n${workflow.errorMessage ?: workflow.errorReport}"
}
