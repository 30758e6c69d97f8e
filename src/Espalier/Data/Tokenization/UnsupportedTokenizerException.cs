namespace Espalier.Data;

/// <summary>A <c>tokenizer.json</c> asks for something that Espalier's own tokenizers do not do.</summary>
internal sealed class UnsupportedTokenizerException(string message, string? hint) : Exception(message)
{
    /// <summary>The same for the user.</summary>
    public UserErrorException ForUser() => new(Message, hint);

    /// <summary>The same where Hugging Face's library, too, cannot help.</summary>
    public UserErrorException ForUser(UserErrorException failure) =>
        new($"{Message} {failure.Message}", failure.Hint ?? hint, failure);
}
