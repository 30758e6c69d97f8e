using System.Globalization;
using System.Runtime.InteropServices;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Torch;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>The formulas of memory against the most that this process holds while it trains.</summary>
[Collection(TensorCounts.Name)]
[Trait("Kind", "Slow")]
public partial class MemoryNeedTests
{
    private const int Vocabulary = 512;

    // What a process that has run thousands of other tests takes for itself meanwhile; alone, all cases keep within a quarter.
    private const double OfTheProcess = 300e6;
    private static readonly AdamW Optimizer = new(new AdamWConfig());

    /// <summary>Of every family a deep model of short sequences and one whose attention weights are the most of it.</summary>
    public static TheoryData<string, bool, bool, bool> Models()
    {
        var models = new TheoryData<string, bool, bool, bool>();
        foreach (string family in (string[])["gpt2", "bert", "llama", "qwen3"])
        {
            foreach (bool isLong in (bool[])[false, true])
            {
                models.Add(family, isLong, false, false);
                models.Add(family, isLong, true, false);
                models.Add(family, isLong, false, true);
                models.Add(family, isLong, true, true);
            }
        }

        return models;
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void AStepHoldsAsMuchAsTheFormulasSay(string family, bool isLong, bool bf16, bool recompute)
    {
        (int layers, int hidden, int length, int sequences) = isLong ? (16, 256, 512, 4) : (24, 256, 128, 8);
        ModelConfig config = Of(family, layers, hidden, length);
        var need = MemoryNeed.Of(config, Optimizer, layers, sequences, bf16, recompute);

        // Libraries load their parts at their first use.
        Train(Of(family, 1, 16, 8), sequences: 1, bf16, recompute, afterTheFirst: () => { });
        TensorCounts.Settle();
        TrimHeap(0);

        // So little is left of a model whose layers are recomputed that holes in glibc's heap, some 150 MB here, would hide it: each tensor
        // has pages of its own.
        SetHeap(MmapThreshold, recompute ? 1 << 16 : UsualThreshold);
        long before = Status("VmRSS");

        // The most so far is forgotten: the first step makes what later ones use again.
        Train(config, sequences, bf16, recompute, afterTheFirst: () => File.WriteAllText("/proc/self/clear_refs", "5"));
        SetHeap(MmapThreshold, UsualThreshold);
        double held = Status("VmHWM") - before, ratio = held / need.Total;
        Assert.True(ratio > 0.75 && held < (1.25 * need.Total) + OfTheProcess, string.Create(CultureInfo.InvariantCulture, $"{ratio:F3} of {need.Total / 1e6:F0} MB, of which {need.Activations / 1e6:F0} MB are activations"));
    }

    private static void Train(ModelConfig config, int sequences, bool bf16, bool recompute, Action afterTheFirst)
    {
        using TrainingState state = TrainingState.Begin(config, config.Layers, Optimizer, 1, Device.Cpu);
        var step = new TrainingStep(Optimizer, 1, new Compute(Device.Cpu, bf16), recompute: recompute);
        step.Run(state, 1, _ => ForwardPlan.Plain(config.Layers), (_, _) => Batch(sequences, config.ContextLength), _ => 1, 1e-4);
        afterTheFirst();
        step.Run(state, 1, _ => ForwardPlan.Plain(config.Layers), (_, _) => Batch(sequences, config.ContextLength), _ => 1, 1e-4);
    }

    private static ModelBatch Batch(int sequences, int length) => new(
        Sample.Indices(1, Vocabulary, sequences, length), Sample.Indices(2, Vocabulary, sequences, length));

    private static long Status(string key)
    {
        string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(key, StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }

    /// <summary>Gives back what earlier tests have freed, which would else be used again without a trace.</summary>
    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    private static partial int TrimHeap(nuint pad);

    // M_MMAP_THRESHOLD, and what libtorch's bridge sets it to.
    private const int MmapThreshold = -3, UsualThreshold = 1 << 30;

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int SetHeap(int parameter, int value);

    private static ModelConfig Of(string family, int layers, int hidden, int length) => family switch
    {
        "gpt2" => new Gpt2Config { Layers = layers, HiddenSize = hidden, Heads = 4, ContextLength = length, VocabularySize = Vocabulary },
        "bert" => new BertConfig { Layers = layers, HiddenSize = hidden, Heads = 4, ContextLength = length, VocabularySize = Vocabulary },
        "llama" => new LlamaConfig
        {
            Layers = layers, HiddenSize = hidden, Heads = 4, KeyValueHeads = 2, FfnSize = hidden * 8 / 3, ContextLength = length,
            VocabularySize = Vocabulary,
        },
        _ => new Qwen3Config
        {
            Layers = layers, HiddenSize = hidden, Heads = 4, KeyValueHeads = 2, HeadDim = hidden / 2, FfnSize = hidden * 3,
            ContextLength = length, VocabularySize = Vocabulary,
        },
    };
}
