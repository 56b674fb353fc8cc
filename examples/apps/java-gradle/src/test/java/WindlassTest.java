import org.example.windlass.Windlass;

public final class WindlassTest {
  public static void main(String[] arguments) {
    if (Windlass.turns(5) != 3) throw new AssertionError("5 m take " + Windlass.turns(5) + " turns");
  }
}
