process PREPARE_MAP {
    tag "$target $class_name"
    label 'cpu_medium'
    errorStrategy { Failures.strategy(task, target, [class_name]) }

    input:
    val fingerprint
    tuple val(target), val(class_name), val(numbers), val(digests), path(map, stageAs: 'map/*'), path(half_maps, stageAs: 'half?/*'),
        path(mask, stageAs: 'mask/*'), path(sequence)

    output:
    tuple val(target), val(class_name), path("${target}.${class_name}.map"), emit: map

    script:
    def halves = half_maps ? "--half-map-1 ${half_maps[0]} --half-map-2 ${half_maps[1]}" : ''
    def given = numbers.findAll { it.value != null }.collect { name, value -> "--$name=$value" }.join(' ')
    def checked = digests.collect { role, digest -> "--sha256 $role=$digest" }.join(' ')
    """
    prepare_map.py --target $target --class $class_name --map $map $halves ${mask ? "--mask $mask" : ''} $given $checked \\
        --sequence $sequence --seed $params.seed \\
        --guidance $params.guidance --output ${target}.${class_name}.map
    """

    stub:
    """
    mkdir ${target}.${class_name}.map; cd ${target}.${class_name}.map; touch map.mrc point_cloud.csv map.json map.png
    """
}
