/*
 * CuratorServer: stock Curator locks, for a program that is not Java.
 *
 *     java CuratorServer PORTFILE
 *
 * It listens on 127.0.0.1 and writes its port to PORTFILE. A connection is one
 * contender: a thread and a ZooKeeper session of its own, for Curator counts
 * what a thread holds. The first line is HOSTS KIND PATH, then come "lock
 * SECONDS" (0: try only), answered by "got" or "busy", and "unlock", answered
 * by "done"; what Curator throws is answered by "error" and its words.
 */
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.retry.ExponentialBackoffRetry;

public final class CuratorServer {
	private static final int SESSION_MS = 10000;

	private static InterProcessMutex newLock(CuratorFramework client,
						 String kind, String path) {
		switch (kind) {
		case "mutex":
			return new InterProcessMutex(client, path);
		case "read":
			return new InterProcessReadWriteLock(client, path)
				.readLock();
		case "write":
			return new InterProcessReadWriteLock(client, path)
				.writeLock();
		default:
			throw new IllegalArgumentException(kind);
		}
	}

	private static String carryOut(InterProcessMutex lock, String[] words)
			throws Exception {
		switch (words[0]) {
		case "lock":
			return lock.acquire(Long.parseLong(words[1]),
					    TimeUnit.SECONDS) ? "got" : "busy";
		case "unlock":
			lock.release();
			return "done";
		default:
			throw new IllegalArgumentException(words[0]);
		}
	}

	private static void answerAll(BufferedReader in, PrintStream out,
				      InterProcessMutex lock)
			throws IOException {
		String line;
		while ((line = in.readLine()) != null) {
			String answer;
			try {
				answer = carryOut(lock, line.split(" "));
			} catch (Exception e) {
				answer = "error " + e;
			}
			out.println(answer);
		}
	}

	private static void serve(Socket peer) {
		try (Socket socket = peer;
		     BufferedReader in = new BufferedReader(
			new InputStreamReader(socket.getInputStream()));
		     PrintStream out = new PrintStream(
			socket.getOutputStream(), true)) {
			String[] words = in.readLine().split(" ");
			socket.setTcpNoDelay(true);
			try (CuratorFramework client =
			     CuratorFrameworkFactory.newClient(
				words[0], SESSION_MS, SESSION_MS,
				new ExponentialBackoffRetry(100, 5))) {
				client.start();
				answerAll(in, out, newLock(client, words[1],
							   words[2]));
			}
		} catch (IOException e) {
			System.err.println(e);
		}
	}

	/* The file appears complete. */
	private static void publish(Path file, int port) throws IOException {
		Path fresh = Paths.get(file + ".new");

		Files.writeString(fresh, port + "\n");
		Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
	}

	public static void main(String[] args) throws IOException {
		try (ServerSocket listener = new ServerSocket(
			0, 50, InetAddress.getLoopbackAddress())) {
			publish(Paths.get(args[0]), listener.getLocalPort());
			while (true) {
				Socket peer = listener.accept();
				new Thread(() -> serve(peer)).start();
			}
		}
	}
}
