process PREPARE_SEQUENCE {
    tag "$target"
    label 'cpu'
    errorStrategy { Failures.strategy(task, target) }

    input:
    val fingerprint
    tuple val(target), path(sequence), val(msa), path(alignment, stageAs: 'alignment/*')
    path weights

    output:
    tuple val(target), path("${target}.sequence"), emit: sequence

    script:
    def server = msa == 'server' ? "--msa-server-url ${params.msa_server_url}" : ''
    """
    prepare_sequence.py --target $target --sequence $sequence --msa ${alignment ?: msa} $server \\
        --weights $weights --seed $params.seed --output ${target}.sequence
    """

    stub:
    """
    mkdir ${target}.sequence; cd ${target}.sequence; touch features.safetensors atoms.csv target.json
    """
}
