process WRITE_REPORT {
    label 'cpu'
    errorStrategy { Failures.strategy(task) }
    publishDir params.outdir, mode: 'copy', overwrite: true   // by default a resumed run would leave half a file there

    input:
    val fingerprint
    path folders, stageAs: 'stages/*'
    path parameters
    path checked
    path failures

    output:
    path 'report.html', emit: report
    path 'summary.csv', emit: summary
    path 'summary.json'
    path 'classfold_mqc.json'

    script:
    """
    write_report.py --folder stages --parameters $parameters --samplesheet $checked --failures $failures --output .
    """

    stub:
    """
    touch report.html summary.json classfold_mqc.json
    echo 'target,class' > summary.csv
    """
}
