namespace Espalier.Models;

/// <summary>The architectures, by Hugging Face's <c>model_type</c>.</summary>
public static class Architectures
{
    /// <summary>The architecture of a model.</summary>
    public static IArchitecture Of(ModelType type) => type switch
    {
        ModelType.Gpt2 => new Gpt2(),
        ModelType.Bert => new Bert(),
        ModelType.Llama or ModelType.Qwen3 => new Llama(),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an architecture"),
    };

    /// <summary>What gives a model's sequences scores.</summary>
    public static ISequenceHead SequenceHeadOf(ModelType type) => type switch
    {
        ModelType.Gpt2 => new LastTokenHead("GPT2ForSequenceClassification", "transformer."),
        ModelType.Bert => new BertSequenceHead(),
        ModelType.Llama => new LastTokenHead("LlamaForSequenceClassification", "model."),
        ModelType.Qwen3 => new LastTokenHead("Qwen3ForSequenceClassification", "model."),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an architecture"),
    };
}
