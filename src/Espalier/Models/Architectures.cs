namespace Espalier.Models;

/// <summary>The architectures, by Hugging Face's <c>model_type</c>.</summary>
public static class Architectures
{
    /// <summary>The architecture of a model.</summary>
    public static IArchitecture Of(ModelType type) => type switch
    {
        ModelType.Gpt2 => new Gpt2(),
        ModelType.Bert => new Bert(),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an architecture"),
    };

    /// <summary>What gives a model's sequences scores.</summary>
    public static ISequenceHead SequenceHeadOf(ModelType type) => type switch
    {
        ModelType.Gpt2 => new Gpt2SequenceHead(),
        ModelType.Bert => new BertSequenceHead(),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an architecture"),
    };
}
