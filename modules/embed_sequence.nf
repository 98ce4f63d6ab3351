process EMBED_SEQUENCE {
    tag "$target"
    label 'gpu'

    input:
    val fingerprint
    tuple val(target), path(sequence)
    path weights

    output:
    tuple val(target), path("${target}.embedding"), emit: embedding

    script:
    def options = Options.join(params, ['steps', 'schedule', 'samples', 'replicates', 'seed', 'recycling_steps',
        'unguided_models', 'device', 'batch_size'])
    """
    embed_sequence.py --sequence $sequence --weights $weights $options --output ${target}.embedding
    """

    stub:
    """
    mkdir -p ${target}.embedding/unguided; cd ${target}.embedding
    touch embedding.safetensors warm_up.safetensors unguided.safetensors unguided/model_001.cif embedding.json
    """
}
