process EMBED_SEQUENCE {
    tag "$target"
    label 'gpu'
    ext scale: { Sizes.scale(target) }
    errorStrategy { Failures.strategy(task, target) }

    input:
    val fingerprint
    tuple val(target), path(sequence)
    path weights

    output:
    tuple val(target), path("${target}.embedding"), emit: embedding

    script:
    def options = Options.join(params, ['steps', 'samples', 'replicates', 'seed', 'recycling_steps', 'unguided_models',
        'physical_guidance', 'precision', 'compile', 'kernels', 'device'])
    def schedule = params.guidance == 'published' && params.schedule == 'auto' ? 'experimental' : params.schedule
    """
    embed_sequence.py --sequence $sequence --weights $weights --schedule $schedule $options \\
        --batch-size ${Failures.batchSize(task, params.batch_size)} --output ${target}.embedding
    """

    stub:
    """
    mkdir -p ${target}.embedding/unguided; cd ${target}.embedding
    touch embedding.safetensors warm_up.safetensors unguided.safetensors unguided/model_001.cif embedding.json
    """
}
