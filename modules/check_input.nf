process CHECK_INPUT {
    tag "${sheet.name}"
    label 'cpu'
    errorStrategy { Failures.strategy(task) }

    input:
    val fingerprint
    path sheet
    path staged
    path files, stageAs: 'staged/?/*'
    path weights, stageAs: 'weights_folder'

    output:
    path 'checked.json', emit: checked

    script:
    def options = Options.join(params, ['prior', 'samples', 'replicates', 'steps', 'schedule', 'seed'])
    def folder = weights ? "--weights $weights" : ''
    def server = params.use_msa_server ? '--use-msa-server' : ''
    """
    check_input.py --sheet $sheet --staged $staged $folder $options $server --output checked.json
    """

    stub:
    """
    check_input.py --sheet $sheet --staged $staged ${weights ? "--weights $weights" : ''} --output checked.json
    """
}
