import org.example.gangway.Gangway;

public final class GangwayTest {
  public static void main(String[] arguments) {
    if (Gangway.length(8, 6) != 10) throw new AssertionError("the gangway is " + Gangway.length(8, 6) + " m long");
  }
}
