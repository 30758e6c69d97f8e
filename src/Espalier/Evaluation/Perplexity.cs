using Espalier.Data;

namespace Espalier.Evaluation;

/// <summary>How well a model predicts a text, by measures that do and do not depend on the tokenizer.</summary>
/// <param name="Loss">Nats a token.</param>
/// <param name="Tokens">Predicted tokens, the <c>&lt;|endoftext|&gt;</c> between documents included.</param>
/// <param name="Bytes">UTF-8 bytes of the text.</param>
/// <param name="Words">Words of the text: what white space separates.</param>
public sealed record Perplexity(double Loss, long Tokens, long Bytes, long Words)
{
    /// <summary>The measures of a loss on a whole text.</summary>
    public Perplexity(LossResult loss, DatasetPart text)
        : this(loss.Loss, loss.Tokens, text.Bytes, text.Words)
    {
    }

    /// <summary>exp of the loss: of equal tokenizers only are these comparable.</summary>
    public double PerToken => Math.Exp(Loss);

    /// <summary>Nats a byte.</summary>
    public double LossPerByte => Loss * Tokens / Bytes;

    /// <summary>Bits a byte: what a compressor driven by the model would need.</summary>
    public double BitsPerByte => LossPerByte / Math.Log(2);

    /// <summary>exp of the nats a word, as papers give it for word-level corpora.</summary>
    public double PerWord => Math.Exp(Loss * Tokens / Words);
}
