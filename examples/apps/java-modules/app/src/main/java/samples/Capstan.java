package samples;

import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import ropes.Rope;

public final class Capstan {
  public static void main(String[] arguments) throws Exception {
    open(Integer.parseInt(System.getenv("PORT")));
  }

  public static HttpServer open(int port) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
    server.createContext(
        "/",
        exchange -> {
          byte[] body = ("Ten turns take in " + Rope.metres(10) + " m\n").getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    return server;
  }
}
