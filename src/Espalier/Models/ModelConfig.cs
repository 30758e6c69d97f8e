using Espalier.Configuration;

namespace Espalier.Models;

/// <summary>
/// The final model of a run: what all architectures share. Each has its own record, whose keys are those of its
/// Hugging Face <c>config.json</c>; a new architecture is a file in Models/, one in Interop/, and a line in each.
/// </summary>
[ConfigVariant("model_type", "gpt2", typeof(Gpt2Config), IsDefault = true)]
[ConfigVariant("model_type", "bert", typeof(BertConfig))]
[ConfigVariant("model_type", "llama", typeof(LlamaConfig))]
[ConfigVariant("model_type", "qwen3", typeof(Qwen3Config))]
public abstract record ModelConfig
{
    /// <summary>`model_type`: the architecture. Default gpt2.</summary>
    public abstract string ModelType { get; }

    /// <summary>What such a model computes.</summary>
    public abstract IArchitecture Architecture { get; }

    /// <summary>What gives such a model's sequences scores.</summary>
    /// <exception cref="UserErrorException">It has nothing that does.</exception>
    internal ISequenceHead SequenceHead => Architecture.SequenceHead ?? throw new UserErrorException(
        $"A {ModelType} has no head for whole sequences.", "Its architecture says none (IArchitecture.SequenceHead); take another model.");

    /// <summary>
    /// Makes an architecture of one's own known by its name, so that recipes and <c>config.json</c> may say it; for as long as the
    /// process runs. Its <c>config.json</c> holds the keys of its record, and its files hold the tensors under the names of its
    /// parameters, unless a format of its own is registered too.
    /// </summary>
    /// <typeparam name="TConfig">Its record: writable public properties are keys of the section, with their defaults.</typeparam>
    /// <param name="modelType">What <see cref="ModelType"/> of the record says.</param>
    /// <exception cref="ArgumentException">Another architecture has that name, or the record says another.</exception>
    public static void Register<TConfig>(string modelType)
        where TConfig : ModelConfig => ConfigVariants.Register(typeof(ModelConfig), modelType, typeof(TConfig));

    /// <summary>Transformer blocks of the final model.</summary>
    public abstract int Layers { get; init; }

    /// <summary>C: the width of the residual stream.</summary>
    public abstract int HiddenSize { get; init; }

    /// <summary>Attention heads, counted by their queries; without a head size of their own they divide <see cref="HiddenSize"/>.</summary>
    public abstract int Heads { get; init; }

    /// <summary>T: tokens of one training sequence, and the most the model can read.</summary>
    public abstract int ContextLength { get; init; }

    /// <summary>Width of the feed-forward layer; null for 4 x <see cref="HiddenSize"/>.</summary>
    public abstract int? FfnSize { get; init; }

    /// <summary>Rows of the token embedding; null for the size of the data's tokenizer.</summary>
    public abstract int? VocabularySize { get; init; }

    /// <summary>Added to the variance, or to the mean of squares, in every norm.</summary>
    public abstract double LayerNormEpsilon { get; init; }

    /// <summary>Standard deviation of initial weights.</summary>
    public abstract double InitializerRange { get; init; }

    /// <summary>Whether the vocabulary head is the token embedding, transposed.</summary>
    public abstract bool TiedHead { get; init; }

    /// <summary>The segments that a token can belong to: 1 where the model knows of none.</summary>
    public virtual int SegmentCount => 1;

    /// <summary>F: the width of the feed-forward layer.</summary>
    public int FfnWidth => FfnSize ?? 4 * HiddenSize;

    /// <summary>Whether two are the same model, be a feed-forward width of 4 x <see cref="HiddenSize"/> said or left out.</summary>
    internal bool IsSameAs(ModelConfig? other) =>
        other is not null && Explicit() == other.Explicit();

    /// <summary>The same model with all sizes said that follow from others where they are left out.</summary>
    internal virtual ModelConfig Explicit() => this with { FfnSize = FfnWidth };

    /// <summary>The same model of another width.</summary>
    /// <param name="hidden">C.</param>
    /// <param name="heads">Its attention heads; those of keys and values stay in their ratio to them.</param>
    /// <param name="ffn">The feed-forward width; null for 4 x C.</param>
    /// <exception cref="UserErrorException">The heads do not share out among those of keys and values.</exception>
    internal virtual ModelConfig WithWidth(int hidden, int heads, int? ffn) =>
        this with { HiddenSize = hidden, Heads = heads, FfnSize = ffn };

    /// <summary>The units of a kind that can grow or be masked.</summary>
    /// <param name="kind">Hidden, Heads or Ffn.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is another kind.</exception>
    internal int UnitsOf(AxisKind kind) => kind switch
    {
        AxisKind.Hidden => HiddenSize,
        AxisKind.Heads => HeadGroups,
        AxisKind.Ffn => FfnWidth,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "neither grows nor is masked"),
    };

    /// <summary>Elements of an attention head.</summary>
    public virtual int HeadSize => HiddenSize / Heads;

    /// <summary>The heads of keys and values, each shared by equally many query heads.</summary>
    public virtual int HeadGroups => Heads;

    /// <summary>Why the sizes of heads do not go together, and what to do; null where they do.</summary>
    internal virtual (string Key, string What, string Remedy)? HeadProblem()
    {
        if (HiddenSize % Heads == 0)
        {
            return null;
        }

        int fewer = Enumerable.Range(1, Heads).Last(heads => HiddenSize % heads == 0);
        int? more = Enumerable.Range(Heads, Math.Max(0, HiddenSize - Heads + 1)).Where(heads => HiddenSize % heads == 0)
            .Select(heads => (int?)heads).FirstOrDefault();
        return (
            KeyOf(nameof(Heads)), $"{Heads} does not divide {KeyOf(nameof(HiddenSize))} {HiddenSize}",
            more is null ? $"{fewer} does" : $"{fewer} and {more} do");

        string KeyOf(string property) => ConfigKeys.NameOf(GetType(), property);
    }

    /// <summary>V: the rows of the token embedding.</summary>
    /// <exception cref="InvalidOperationException">Neither the recipe nor the data has said yet.</exception>
    public int Vocabulary => VocabularySize
        ?? throw new InvalidOperationException("the vocabulary size is not known yet: it comes from the data");

    /// <summary>The same model with one dropout probability in every place that has one.</summary>
    /// <param name="probability">From 0 to below 1.</param>
    public abstract ModelConfig WithDropout(double probability);
}
