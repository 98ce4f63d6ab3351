process COMPARE_CLASSES {
    tag "$target"
    label 'cpu'
    ext scale: { Sizes.scale(target) }
    errorStrategy { Failures.strategy(task, target) }

    input:
    val fingerprint
    tuple val(target), val(names), path(maps), path(models), path(sequence)

    output:
    path "${target}.comparison", emit: comparison

    script:
    def classes = names.collect { "--map ${target}.${it}.map --models ${target}.${it}.models" }.join(' ')
    """
    compare_classes.py --sequence $sequence $classes --output ${target}.comparison
    """

    stub:
    def pairs = names.tail().collect { "${names.head()}.${it}" }
    def files = pairs.collect { "morph_${it}.cif distance_difference_${it}.csv" }.join(' ')
    """
    mkdir ${target}.comparison; cd ${target}.comparison
    touch rmsd.csv tm_score.csv cross_fit.csv displacement.csv moving_parts.csv comparison.json open_in_chimerax.cxc $files
    """
}
