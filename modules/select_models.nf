process SELECT_MODELS {
    tag "$target $class_name"
    label 'cpu_medium'
    ext scale: { Sizes.scale(target) }
    errorStrategy { Failures.strategy(task, target, [class_name]) }

    input:
    val fingerprint
    tuple val(target), val(class_name), path(map), path(docking), path(samples), path(reference, stageAs: 'reference/*'),
        val(names), path(others, stageAs: 'others/?/*'), path(sequence)

    output:
    tuple val(target), val(class_name), path("${target}.${class_name}.models"), emit: models

    script:
    def compared = [names, [others].flatten()].transpose().collect { name, path -> "--compare $name=$path" }.join(' ')
    """
    select_models.py --sequence $sequence --map $map --docking $docking --samples $samples \\
        ${reference ? "--reference $reference" : ''} $compared --output ${target}.${class_name}.models
    """

    stub:
    """
    mkdir -p ${target}.${class_name}.models/samples; cd ${target}.${class_name}.models
    touch model.cif map.mrc samples/sample_001.cif scores.csv residues.csv models.json
    """
}
