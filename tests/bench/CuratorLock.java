/*
 * CuratorLock: what a lock costs with Curator's InterProcessMutex.
 *
 *     java CuratorLock HOSTS DIR
 *
 * Reads commands, and answers each with the median in microseconds:
 *
 *     cycle N       acquire and release of a free lock
 *     handover N    from the release by one to the other's having it; two
 *                   threads, each with a session of its own, N times each
 *
 * It stays, so that what is measured has been compiled by then.
 */
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Arrays;
import java.util.concurrent.Semaphore;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.ExponentialBackoffRetry;

public final class CuratorLock {
	private static final int SESSION_MS = 10000;

	private static final class Samples {
		private final long[] ns;
		private int n;
		private long since;

		Samples(int room) {
			ns = new long[room];
		}

		void begin() {
			since = System.nanoTime();
		}

		void end() {
			if (since != 0)
				ns[n++] = System.nanoTime() - since;
		}

		double median() {
			long[] sorted = Arrays.copyOf(ns, n);
			Arrays.sort(sorted);
			return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2000.0;
		}
	}

	/* As tests/bench/handover.c takes turns. */
	private static final class Side {
		final InterProcessMutex lock;
		final Semaphore turn = new Semaphore(0);
		final boolean second;
		Side other;

		Side(String hosts, String dir, boolean second) {
			CuratorFramework client =
				CuratorFrameworkFactory.newClient(hosts,
					SESSION_MS, SESSION_MS,
					new ExponentialBackoffRetry(100, 5));
			client.start();
			lock = new InterProcessMutex(client, dir);
			this.second = second;
		}

		void awaitOther() throws Exception {
			do
				Thread.sleep(1);
			while (lock.getParticipantNodes().size() < 2);
			Thread.sleep(1);
		}

		void takeTurns(int n, Samples samples) throws Exception {
			if (second)
				turn.acquire();
			for (int i = 0; i < n; i++) {
				boolean last = second && i == n - 1;

				lock.acquire();
				samples.end();
				other.turn.release();
				if (!last)
					awaitOther();
				samples.begin();
				lock.release();
				if (!last)
					turn.acquire();
			}
		}

		void takeTurnsOrDie(int n, Samples samples) {
			try {
				takeTurns(n, samples);
			} catch (Exception e) {
				e.printStackTrace();
				System.exit(1);
			}
		}
	}

	private static double cycle(Side side, int n) throws Exception {
		Samples samples = new Samples(n);

		for (int i = 0; i < n; i++) {
			samples.begin();
			side.lock.acquire();
			side.lock.release();
			samples.end();
		}
		return samples.median();
	}

	private static double handover(Side first, Side second, int n)
			throws Exception {
		Samples samples = new Samples(2 * n);
		Thread thread = new Thread(
			() -> second.takeTurnsOrDie(n, samples));

		thread.start();
		first.takeTurnsOrDie(n, samples);
		thread.join();
		return samples.median();
	}

	public static void main(String[] args) throws Exception {
		Side first = new Side(args[0], args[1], false);
		Side second = new Side(args[0], args[1], true);
		BufferedReader in = new BufferedReader(
			new InputStreamReader(System.in));
		String line;

		first.other = second;
		second.other = first;
		while ((line = in.readLine()) != null) {
			String[] words = line.split(" ");
			int n = Integer.parseInt(words[1]);

			System.out.println(words[0].equals("cycle")
				? cycle(first, n) : handover(first, second, n));
		}
		System.exit(0);
	}
}
