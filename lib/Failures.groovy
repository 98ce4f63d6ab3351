// One bad class does not sink the run: which failure is tried again, which is noted, and what is said of it in the end.

import java.nio.file.Path

class Failures {

    /** As many tries again as maxRetries in conf/base.config grants. */
    static final int RETRIES = 2
    /** Exit code of a run that lacks some models; without any it is 1, as for every failed run. */
    static final int PARTIAL_EXIT_CODE = 3
    static final Map<Integer, String> TRANSIENT = [
        137: 'it was killed, most likely because it needed more memory than it was granted',
        139: 'it crashed with a segmentation fault',
        140: 'it ran out of the time that it was granted',
        143: 'it was stopped, by the scheduler or by hand',
        (Integer.MAX_VALUE): 'it ended without an exit code: its node may have been lost']
    static final String ASKED_BY = 'queue, account, clusterOptions and resourceLimits of the configuration decide what is asked for.'
    /** STORAGE_EXIT_CODE of bin/classfold/errors.py: a stage on a full disk cannot write down what it says. */
    private static final Map<Integer, String> STORAGE = [
        74: 'it could not write its files: make room in the work folder, or have its rights changed, then start the same command again with -resume']
    private static final List<Map> NOTED = [].asSynchronized()
    private static volatile Map recorded
    /** The first task that the scheduler would not start; what the scheduler said of it comes with Nextflow's message. */
    private static volatile Map refused

    /**
     * What to do about a task that failed. `names` are the classes that it worked for; none: it worked for the whole target,
     * and without a target for the whole run.
     * A task that never began was refused or lost by the scheduler: Nextflow would wait for ever for one that is ignored.
     */
    static String strategy(Object task, String target = null, List<String> names = []) {
        def begun = task.workDir?.resolve('.command.begin')?.exists()
        // Stopped between the two, as by scancel while its files are staged, a job has whatever exit code its shell had.
        def launched = task.workDir?.resolve('.command.err')?.exists()
        if (task.attempt <= RETRIES && (!launched || task.exitStatus in TRANSIENT.keySet())) return 'retry'
        def stage = task.process.tokenize(':').last()
        if (!begun) {
            def asked = ['cpus', 'memory', 'time', 'queue', 'clusterOptions'].collectEntries { [it, task."$it"] }.findAll { it.value }
            refused = refused ?: [target: target, class: names.size() == 1 ? names[0] : null, stage: stage, exit_code: null, attempts: task.attempt,
                       asked: asked.collect { name, value -> "$name = $value" }.join(', '), work_folder: null]
            return 'terminate'
        }
        if (!target) return 'terminate'
        def code = task.exitStatus == Integer.MAX_VALUE ? null : task.exitStatus
        def noted = [stage: stage, exit_code: code, attempts: task.attempt,
                     error: lastWords(task.exitStatus, task.workDir), work_folder: task.workDir.toUriString() - ~'^file://']
        NOTED.addAll((names ?: [null]).collect { told([target: target, class: it] + noted) })
        'ignore'
    }

    /** A stage that ran out of memory begins again with smaller batches: a quarter of 32, then one sample at a time. */
    static int batchSize(Object task, Object given) {
        if (task.attempt == 1 || task.exitStatus != 137) return given as int
        def most = task.attempt == 2 ? 8 : 1
        (given as int) ? Math.min(given as int, most) : most
    }

    /** With all of it in one sentence: "adk.open, PREPARE_MAP: Map open.mrc is ...". */
    private static Map told(Map failure) {
        def whom = failure.target ? failure.target + (failure.class ? ".$failure.class, " : ', all classes, ') : ''
        def tries = failure.attempts > 1 ? " ($failure.attempts attempts)" : ''
        failure + [sentence: "$whom$failure.stage$tries: $failure.error".toString()]
    }

    /** What a stage said last. */
    private static String lastWords(int code, Path folder) {
        def said = folder.resolve('.command.err')
        def lines = said.exists() ? said.text.readLines()*.trim().findAll() : []
        // Stages end wrong input and want of memory with one line "stage_name: sentence"; a kill leaves none.
        def own = lines.reverse().find { it ==~ /[a-z]+_[a-z]+: .+/ }
        if (own) return own.replaceFirst(/^\w+: /, '')
        // The scheduler's own daemon writes into the job's log, not into what the stage said.
        def log = folder.resolve('.command.log')
        if (log.exists() && log.text =~ /(?i)exceeded (job )?memory limit|oom.kill/) return 'it was killed: it needed more memory than it was granted'
        TRANSIENT[code] ?: STORAGE[code] ?: (lines ? lines.last() : "it ended with exit code $code and said nothing".toString())
    }

    /**
     * failures.json: every class of the samplesheet has a model, or it is told why not.
     * `folders` are what the stages left: adk.open.models, and adk.open.failure where sampling set a class aside.
     */
    static Map record(List<Map> rows, List<Path> folders) {
        def setAside = folders.findAll { it.extension == 'failure' }.collect {
            def (target, name) = it.name.tokenize('.')
            told(target: target, class: name, stage: 'SAMPLE_GUIDED', exit_code: 2, attempts: 1, error: it.text.trim(), work_folder: null)
        }
        def modelled = folders.findAll { it.extension == 'models' }*.name
        def missing = rows.findAll { !("${it.target}.${it.class}.models".toString() in modelled) }.collect { it.subMap('target', 'class') }
        def failures = (setAside + NOTED).sort { "${it.target}.${it.class ?: ''}" }
        recorded = [status: missing.size() == rows.size() ? 'failed' : missing || failures ? 'partial' : 'complete',
                    n_classes: rows.size(), classes_without_model: missing, failures: failures]
    }

    /** The same at the end, also where the run stopped on the way. */
    static Map outcome(boolean success, String message) {
        if (success && recorded) return recorded
        [status: 'failed', n_classes: null, classes_without_model: [], failures: NOTED + [stopped(message)]]
    }

    /** What is said on the terminal of a run that stopped. */
    static String lastSentence(String message) {
        refused ? stopped(message).sentence : message
    }

    private static Map stopped(String message) {
        def last = (message ?: 'The run was stopped.').readLines()*.trim().findAll().join(' ')
        if (!refused) return [target: null, class: null, stage: null, exit_code: null, attempts: null, error: last, work_folder: null, sentence: last]
        told(refused.findAll { it.key != 'asked' } + [error: "the scheduler did not start a job that asks for $refused.asked. It said: $last; " + ASKED_BY])
    }
}
