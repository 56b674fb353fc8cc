import com.sun.net.httpserver.HttpServer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.example.gangway.Gangway;
import samples.Server;

public final class GangwayTest {
  public static void main(String[] arguments) throws Exception {
    if (Gangway.length(8, 6) != 10) throw new AssertionError("the gangway is " + Gangway.length(8, 6) + " m long");
    HttpServer server = Server.open(0);
    try {
      URI address = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
      String answer = new String(address.toURL().openStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!answer.equals("The gangway is 5 m long\n")) throw new AssertionError("the answer is " + answer);
    } finally {
      server.stop(0);
    }
  }
}
