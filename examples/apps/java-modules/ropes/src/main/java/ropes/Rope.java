package ropes;

public final class Rope {
  public static int metres(int turns) {
    return turns * 3;
  }
}
