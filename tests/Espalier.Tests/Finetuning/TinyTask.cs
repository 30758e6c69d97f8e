using Espalier.Data;
using Espalier.Finetuning;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Torch;

namespace Espalier.Tests.Finetuning;

/// <summary>A task that a tiny model learns in seconds: does a sentence hold `good` or `bad`?</summary>
internal sealed class TinyTask : IDisposable
{
    private static readonly string[] Filler = ["the", "film", "is", "a", "very", "long", "one", "and", "so"];

    public const string Yaml = """
        data:
          train: train.tsv
          validation: dev.tsv
          text: sentence
          label: label
        labels: [bad, good]
        metrics: [accuracy, matthews]
        training:
          epochs: 8
          batch: 8
          learning_rate: 5e-3
          max_length: 12
        """;

    public TinyTask()
    {
        Folder.Write("task.yaml", Yaml);
        Folder.Write("train.tsv", "sentence\tlabel\n" + Rows(0, 192));
        Folder.Write("dev.tsv", "sentence\tlabel\n" + Rows(192, 64));
        Folder.Write("vocab.txt", string.Join('\n', ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", .. Filler]) + "\n");
    }

    public TemporaryFolder Folder { get; } = new();

    public Tokenizer WordPiece => Tokenizer.Load(Folder.File("vocab.txt"));

    /// <summary>A BERT of the tiny vocabulary.</summary>
    public static BertConfig Bert => new()
    {
        Layers = 2,
        HiddenSize = 16,
        Heads = 2,
        ContextLength = 16,
        VocabularySize = 7 + Filler.Length,
        InitializerRange = 0.3,
        HiddenDropout = 0.05,
    };

    /// <summary>A GPT of bytes.</summary>
    public static Gpt2Config Gpt2 => new()
    {
        Layers = 2,
        HiddenSize = 32,
        Heads = 2,
        ContextLength = 64,
        InitializerRange = 0.1,
        VocabularySize = ByteLevelBpe.RawBytes.VocabularySize,
    };

    /// <summary>A Llama of bytes, whose query heads share keys and values.</summary>
    public static LlamaConfig Llama => new()
    {
        Layers = 2,
        HiddenSize = 32,
        Heads = 4,
        KeyValueHeads = 2,
        ContextLength = 64,
        InitializerRange = 0.1,
        VocabularySize = ByteLevelBpe.RawBytes.VocabularySize,
    };

    /// <summary>A Qwen3 of bytes, whose heads have a size of their own.</summary>
    public static Qwen3Config Qwen3 => new()
    {
        Layers = 2,
        HiddenSize = 32,
        Heads = 2,
        HeadDim = 24,
        ContextLength = 64,
        InitializerRange = 0.1,
        VocabularySize = ByteLevelBpe.RawBytes.VocabularySize,
    };

    public static ParameterSet Pretrained(ModelConfig model) => ParameterSet.Initialize(
        model.Architecture.Parameters(model), model, model.Layers, 5, Device.Cpu);

    public TaskConfig Read(params string[] overrides) => TaskFile.Read(Folder.File("task.yaml"), overrides);

    public TaskData Data(TaskConfig task, ModelConfig model, Tokenizer tokenizer, bool withTest = false) =>
        TaskData.Read(task, Folder.Path, tokenizer, model.ContextLength, withTest);

    public void Dispose() => Folder.Dispose();

    private static string Rows(int first, int count) => string.Concat(Enumerable.Range(first, count).Select(i =>
    {
        var random = new CounterRandom(11, RandomPurpose.BatchOrder, i);
        bool good = random.NextBelow(2, 0) == 1;
        List<string> words = [.. Enumerable.Range(0, 3 + (int)random.NextBelow(6, 1)).Select(w => Filler[random.NextBelow((ulong)Filler.Length, (uint)w + 2)])];
        words.Insert((int)random.NextBelow((ulong)words.Count + 1, 20), good ? "good" : "bad");
        return $"{string.Join(' ', words)}\t{(good ? "good" : "bad")}\n";
    }));
}
