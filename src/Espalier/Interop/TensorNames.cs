using System.Text.RegularExpressions;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>
/// Under which names an architecture's tensors are found in the files that are about, where these differ from the names
/// of its <see cref="ParameterSpec"/>s. One table an architecture.
/// </summary>
internal sealed partial record TensorNames
{
    /// <summary>What files of the bare model leave out at the beginning of names.</summary>
    public required string Prefix { get; init; }

    /// <summary>Older endings of names, and what they are now.</summary>
    public IReadOnlyDictionary<string, string> Endings { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Second names of a parameter that other code shares: stored besides, they must be equal; stored instead, they stand
    /// for it. Where the model has a parameter of that name (an untied head), they are that.
    /// </summary>
    public required IReadOnlyDictionary<string, string> Copies { get; init; }

    /// <summary>
    /// Of these the ones that an untied model computes with, once a version of transformers has made them tensors of their own:
    /// written beside the parameter, for other versions to find; where a file has both and they differ, they are the parameter.
    /// </summary>
    public IReadOnlySet<string> InUseWhenUntied { get; init; } = new HashSet<string>();

    /// <summary>Constants that code computes and old files stored all the same.</summary>
    public required Regex Constants { get; init; }

    /// <summary>Trained tensors for which Espalier has no use.</summary>
    public Regex Unused { get; init; } = Nothing();

    /// <summary>What Hugging Face's classes for tasks have in place of the language-model head.</summary>
    public required Regex TaskHeads { get; init; }

    private static TensorNames Gpt2 { get; } = new()
    {
        Prefix = "transformer.",
        Copies = new Dictionary<string, string> { ["lm_head.weight"] = "transformer.wte.weight" },
        Constants = Gpt2Masks(),
        TaskHeads = Gpt2TaskHeads(),
    };

    private static TensorNames Bert { get; } = new()
    {
        Prefix = "bert.",
        Endings = new Dictionary<string, string>
        {
            ["LayerNorm.gamma"] = "LayerNorm.weight",
            ["LayerNorm.beta"] = "LayerNorm.bias",
        },
        Copies = new Dictionary<string, string>
        {
            ["cls.predictions.decoder.weight"] = "bert.embeddings.word_embeddings.weight",
            ["cls.predictions.decoder.bias"] = "cls.predictions.bias",
        },
        // From transformers 5 on; before, both were one.
        InUseWhenUntied = new HashSet<string> { "cls.predictions.decoder.bias" },
        Constants = BertPositions(),
        Unused = BertNextSentence(),
        TaskHeads = BertTaskHeads(),
    };

    private static TensorNames Llama { get; } = new()
    {
        Prefix = "model.",
        Copies = new Dictionary<string, string> { ["lm_head.weight"] = "model.embed_tokens.weight" },
        Constants = LlamaFrequencies(),
        TaskHeads = LlamaTaskHeads(),
    };

    /// <summary>The table of an architecture.</summary>
    public static TensorNames Of(ModelType type) => type switch
    {
        ModelType.Gpt2 => Gpt2,
        ModelType.Bert => Bert,
        ModelType.Llama or ModelType.Qwen3 => Llama,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an architecture"),
    };

    /// <summary>A stored name as today's models of Hugging Face have it.</summary>
    /// <param name="stored">The name in the file.</param>
    /// <param name="isKnown">Whether a name is one of today's.</param>
    public string Canonical(string stored, Func<string, bool> isKnown)
    {
        string name = stored;
        foreach ((string old, string now) in Endings)
        {
            if (name.EndsWith(old, StringComparison.Ordinal))
            {
                name = name[..^old.Length] + now;
            }
        }

        return !isKnown(name) && isKnown(Prefix + name) ? Prefix + name : name;
    }

    [GeneratedRegex(@"^transformer\.h\.\d+\.attn\.(bias|masked_bias)$", RegexOptions.CultureInvariant)]
    private static partial Regex Gpt2Masks();

    [GeneratedRegex(@"^bert\.embeddings\.(position_ids|token_type_ids)$", RegexOptions.CultureInvariant)]
    private static partial Regex BertPositions();

    [GeneratedRegex(@"^cls\.seq_relationship\.(weight|bias)$", RegexOptions.CultureInvariant)]
    private static partial Regex BertNextSentence();

    [GeneratedRegex(
        @"^(score\.weight|(classifier|qa_outputs)\.(weight|bias)|multiple_choice_head\..+)$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Gpt2TaskHeads();

    [GeneratedRegex(@"^model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq$", RegexOptions.CultureInvariant)]
    private static partial Regex LlamaFrequencies();

    [GeneratedRegex(@"^(score|qa_outputs)\.(weight|bias)$", RegexOptions.CultureInvariant)]
    private static partial Regex LlamaTaskHeads();

    [GeneratedRegex(@"^(classifier|qa_outputs)\.(weight|bias)$", RegexOptions.CultureInvariant)]
    private static partial Regex BertTaskHeads();

    [GeneratedRegex("(?!)")]
    private static partial Regex Nothing();
}
