package samples;

final class Cargo {
  private Cargo() {}

  static String describe() {
    return "Forty crates of tea\n";
  }
}
