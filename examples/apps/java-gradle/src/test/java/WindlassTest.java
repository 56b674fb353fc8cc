import com.sun.net.httpserver.HttpServer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.example.windlass.Windlass;
import samples.Server;

public final class WindlassTest {
  public static void main(String[] arguments) throws Exception {
    if (Windlass.turns(5) != 3) throw new AssertionError("5 m take " + Windlass.turns(5) + " turns");
    HttpServer server = Server.open(0);
    try {
      URI address = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
      String answer = new String(address.toURL().openStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!answer.equals("The anchor is up after 18 turns\n")) throw new AssertionError("the answer is " + answer);
    } finally {
      server.stop(0);
    }
  }
}
