process DOCK_MODEL {
    tag "$target $class_name"
    label 'cpu_medium'
    ext scale: { Sizes.scale(target) }
    errorStrategy { Failures.strategy(task, target, [class_name]) }

    input:
    val fingerprint
    tuple val(target), val(class_name), path(map), path(initial_model), path(sequence), path(embedding)

    output:
    tuple val(target), val(class_name), path("${target}.${class_name}.docking"), path('flipped/*.map', arity: '0..*'), emit: docking

    script:
    def model = initial_model ? "--initial-model $initial_model" : "--embedding $embedding"
    """
    dock_model.py --map $map $model --sequence $sequence ${Options.join(params, ['seed', 'device', 'fix_hand', 'assembled_start'])} \\
        --flipped-map flipped/${target}.${class_name}.map --output ${target}.${class_name}.docking
    """

    stub:
    """
    mkdir ${target}.${class_name}.docking; touch ${target}.${class_name}.docking/{docked.cif,matched.mrc,spectra.csv,docking.json}
    """
}
