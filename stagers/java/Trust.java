import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;

/** Writes a trust store: the certificates that Java trusts, and those of a PEM file. */
public class Trust {
  public static void main(String[] arguments) throws Exception {
    String home = System.getProperty("java.home");
    Path cacerts = Paths.get(home, "lib", "security", "cacerts");
    char[] password = "changeit".toCharArray();
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    try (InputStream in = Files.exists(cacerts) ? new FileInputStream(cacerts.toFile()) : null) {
      store.load(in, password);
    }
    int number = 0;
    try (InputStream in = new FileInputStream(arguments[0])) {
      for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(in))
        store.setCertificateEntry("stagerd-" + number++, certificate);
    }
    try (OutputStream out = new FileOutputStream(arguments[1])) {
      store.store(out, password);
    }
  }
}
