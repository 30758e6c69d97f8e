namespace Espalier;

/// <summary>
/// A mistake that the user can mend: bad input, a bad option, a missing file. The command line prints its message,
/// without a stack trace, and exits with code 1.
/// </summary>
/// <param name="message">One clear sentence that names the culprit (file, key or tensor).</param>
/// <param name="hint">What to do about it, or null when the message says it already.</param>
/// <param name="inner">The exception that revealed the mistake, if any.</param>
public sealed class UserErrorException(string message, string? hint = null, Exception? inner = null)
    : Exception(message, inner)
{
    /// <summary>What to do about it, or null.</summary>
    public string? Hint { get; } = hint;
}
