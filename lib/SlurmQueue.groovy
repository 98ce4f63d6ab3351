// Jobs that SLURM took and will never start, for a limit of their partition or an account that may not use it: without a
// look at SLURM's reasons a run would wait for them for ever.

import java.nio.file.Path
import nextflow.Global
import nextflow.Session
import nextflow.exception.AbortRunException

class SlurmQueue {

    /** As `squeue` spells them in several of its versions. Limits on what a user or account has running at once pass by themselves. */
    private static final NEVER = ~/(?i)PartitionConfig|Partition(Time|Node)Limit|BadConstraints|Invalid(Account|QOS)|(Account|QOS)NotAllowed|.*account not known.*|(Assoc|QOS)Max.*PerJob(Limit)?|MaxMemPerLimit|JobHoldMaxRequeue|launch.failed.requeued.held/

    /** Look at the jobs of this run now and then, and stop it for one that was hopeless twice: a partition may just be changed. */
    static void watch(Path workDir) {
        def session = Global.session as Session
        if (session.config.process?.executor != 'slurm') return
        def interval = session.getQueueStatInterval('slurm').toMillis()
        Thread.startDaemon('slurm-queue') {
            def before = []
            while (!session.aborted) {
                sleep(interval)
                def now = hopeless(workDir)
                def stuck = now.find { it in before }
                if (stuck) session.abort(new AbortRunException(sentence(stuck)))
                before = now
            }
        }
    }

    /** Number, name and reason of the jobs below a work folder that wait in vain. */
    private static List<Map> hopeless(Path workDir) {
        def command = ['squeue', '--noheader', '--user', System.getProperty('user.name'), '--states=PENDING', '--format=%i|%j|%Z|%r']
        def squeue = new ProcessBuilder(command).redirectErrorStream(true).start()
        def jobs = squeue.inputStream.readLines()*.split(/\|/, 4).findAll { it.size() == 4 }
        jobs.findAll { it[2].startsWith(workDir.toString() + '/') && it[3] ==~ NEVER }.collect { [number: it[0], name: it[1], reason: it[3]] }
    }

    /** nf-CLASSFOLD_PREPARE_MAP_(adk_open) is Nextflow's name for it. */
    private static String sentence(Map job) {
        def stage = job.name - ~/^nf-(CLASSFOLD_)?/
        "SLURM took job $job.number, $stage, and will never start it: ${job.reason}. " + Failures.ASKED_BY
    }
}
