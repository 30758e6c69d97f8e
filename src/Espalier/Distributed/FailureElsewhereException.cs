namespace Espalier.Distributed;

/// <summary>A run of several ranks has failed, and another rank says why: this one ends without a word.</summary>
/// <param name="inner">What this rank saw of it.</param>
public sealed class FailureElsewhereException(Exception inner) : Exception("Another rank says what went wrong.", inner);
