process FETCH_WEIGHTS {
    tag "$prior"
    label 'cpu'
    executor 'local'

    input:
    val fingerprint
    val prior
    path cache, stageAs: 'cache'

    output:
    val prior

    script:
    """
    fetch_weights.py --prior $prior --cache cache
    """

    stub:
    """
    touch cache/boltz1_conf.ckpt cache/ccd.pkl
    """
}
