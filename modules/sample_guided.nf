process SAMPLE_GUIDED {
    tag "$target ${names.join(' ')}"
    label 'gpu'
    ext scale: { Sizes.scale(target) }
    errorStrategy { Failures.strategy(task, target, names) }

    input:
    val fingerprint
    tuple val(target), val(names), path(maps), path(dockings), path(sequence), path(embedding)
    path weights

    output:
    tuple val(target), path('*.samples'), emit: samples
    path '*.failure', arity: '0..*', emit: failures   // one sentence for each class that was set aside

    script:
    def classes = names.collect { "--map ${target}.${it}.map --docking ${target}.${it}.docking" }.join(' ')
    def options = Options.join(params, ['guidance', 'early_stop', 'match_sharpness', 'assembled_start', 'steering',
        'physical_guidance', 'half_map_validation', 'precision', 'compile', 'device'])
    """
    sample_guided.py --sequence $sequence --embedding $embedding --weights $weights $classes \\
        $options --batch-size ${Failures.batchSize(task, params.batch_size)} --output .
    """

    stub:
    """
    for name in ${names.join(' ')}; do mkdir ${target}.\$name.samples; touch ${target}.\$name.samples/{samples.safetensors,losses.csv,samples.json}; done
    """
}
