namespace Espalier.Torch;

/// <summary>A failure inside libtorch or in reaching it, with libtorch's own message.</summary>
/// <param name="message">What went wrong.</param>
/// <param name="inner">The exception behind it, if any.</param>
public sealed class TorchException(string message, Exception? inner = null) : Exception(message, inner);
