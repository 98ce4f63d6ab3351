// How large each target is, so that what its tasks ask for grows with it (conf/base.config).

import groovy.json.JsonSlurperClassic
import java.nio.file.Path

class Sizes {

    /** Up to these sizes what conf/base.config asks for suffices. */
    static final int ATOMS = 20_000, TOKENS = 1_500
    private static final Map<String, Map> KNOWN = [:].asSynchronized()

    /** From adk.sequence/target.json, in which n_atoms and n_tokens are. A stub leaves an empty file. */
    static void note(String target, Path sequence) {
        def text = sequence.resolve('target.json').text
        if (text) KNOWN[target] = new JsonSlurperClassic().parseText(text)
    }

    /** Times larger than that: by atoms, as scores and files grow, and by pairs of tokens, as the network does; at least 1. */
    static Map<String, Double> scale(String target) {
        def size = KNOWN[target] ?: [n_atoms: 0, n_tokens: 0]
        def pairs = (size.n_tokens as double) / TOKENS
        [atoms: Math.max(1.0d, (size.n_atoms as double) / ATOMS), pairs: Math.max(1.0d, pairs * pairs)]
    }
}
