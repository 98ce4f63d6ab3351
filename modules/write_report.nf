process WRITE_REPORT {
    label 'cpu'
    publishDir params.outdir, mode: 'copy'

    input:
    val fingerprint
    path folders, stageAs: 'stages/*'
    path parameters

    output:
    path 'report.html', emit: report
    path 'summary.csv', emit: summary
    path 'summary.json'

    script:
    """
    write_report.py --folder stages --parameters $parameters --output .
    """

    stub:
    """
    touch report.html summary.json
    echo 'target,class' > summary.csv
    """
}
