process SAMPLE_GUIDED {
    tag "$target ${names.join(' ')}"
    label 'gpu'

    input:
    val fingerprint
    tuple val(target), val(names), path(maps), path(dockings), path(sequence), path(embedding)
    path weights

    output:
    tuple val(target), path('*.samples'), emit: samples

    script:
    def classes = names.collect { "--map ${target}.${it}.map --docking ${target}.${it}.docking" }.join(' ')
    def options = Options.join(params, ['guidance', 'early_stop', 'match_sharpness', 'assembled_start', 'steering',
        'physical_guidance', 'precision', 'compile', 'device', 'batch_size'])
    """
    sample_guided.py --sequence $sequence --embedding $embedding --weights $weights $classes \\
        $options --output .
    """

    stub:
    """
    for name in ${names.join(' ')}; do mkdir ${target}.\$name.samples; touch ${target}.\$name.samples/{samples.safetensors,losses.csv,samples.json}; done
    """
}
