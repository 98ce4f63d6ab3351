#!/usr/bin/env nextflow
// ClassFold: an atomic model for every class of a cryo-EM 3D classification.

include { CLASSFOLD } from './workflows/classfold'

workflow {
    help_or_refuse(new Parameters(projectDir.resolve('nextflow_schema.json')))
    SlurmQueue.watch(workflow.workDir)
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
    if (params.compare instanceof CharSequence) problems += new OtherModels(params.compare).problems()
    if (problems) {
        System.err.println "ClassFold did not start:\n  ${problems.join('\n  ')}\nThe option --help lists the parameters."
        exit 2
    }
}

workflow.onComplete {
    def outcome = Failures.outcome(workflow.success, workflow.errorMessage)
    Results.write(file("${params.outdir}/pipeline_info/failures.json"), outcome)
    def summary = file("${params.outdir}/summary.csv")
    if (outcome.status != 'failed' && summary.exists())
        println "\n${Results.table(summary.text)}\n\nReport: ${file("${params.outdir}/report.html")}"
    if (outcome.status == 'complete') println "Only -resume needs the work folder ${workflow.workDir.toUriString() - ~'^file://'} any more: delete it once these results are final."
    if (!workflow.success || outcome.status == 'complete') return
    def missing = outcome.classes_without_model.size()
    System.err.println "\n${outcome.status.capitalize()}: $missing of $outcome.n_classes classes have no model.\n  ${outcome.failures*.sentence.join('\n  ')}"
    // Nextflow itself knows the exit codes 0 and 1 only. It has written everything when the hook runs.
    if (outcome.status == 'partial') Runtime.runtime.addShutdownHook(new Thread({ Runtime.runtime.halt(Failures.PARTIAL_EXIT_CODE) }))
}

workflow.onError {
    System.err.println "\nClassFold stopped. What was said last:\n${Failures.lastSentence(workflow.errorMessage ?: workflow.errorReport)}"
}
