namespace Espalier.Data;

/// <summary>A <c>tokenizer.json</c> asks for something that Espalier's own tokenizers do not do.</summary>
internal sealed class UnsupportedTokenizerException(string message, string? hint) : Exception(message)
{
    /// <summary>The same for the user, who has no other tokenizer to turn to.</summary>
    public UserErrorException ForUser(Exception? inner = null) =>
        new(inner is null ? Message : $"{Message} {inner.Message}", hint, inner);
}
