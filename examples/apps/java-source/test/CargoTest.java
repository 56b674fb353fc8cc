import com.sun.net.httpserver.HttpServer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import samples.Server;

public final class CargoTest {
  public static void main(String[] arguments) throws Exception {
    HttpServer server = Server.open(0);
    try {
      URI address = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
      String answer = new String(address.toURL().openStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!answer.equals("Forty crates of tea\n")) throw new AssertionError("the answer is " + answer);
    } finally {
      server.stop(0);
    }
  }
}
