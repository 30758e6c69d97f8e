using Espalier.Models;

namespace Espalier.Tests.Models;

/// <summary>The costs of plans as sums of matrix products, written out by hand.</summary>
public class LedgerTests
{
    // A multiplication and an addition each; B sequences of T tokens, N of them predicted.
    private const int B = 2, T = 6, N = 5, Hidden = 8, Heads = 2, HeadSize = 4, Ffn = 20, Vocabulary = 11;

    private static readonly WidthMask Mask = new(new UnitMask(4, 0.5), new UnitMask(1, 0), new UnitMask(10, 0));

    /// <summary>Either architecture.</summary>
    public static TheoryData<string> Types => ["gpt2", "bert"];

    [Theory]
    [MemberData(nameof(Types))]
    public void APlainPassBackwardCostsTwiceThePassForward(string type)
    {
        var plan = ForwardPlan.Of([0, 0, 1]);
        Equal(3 * Linear(T), 3 * Attention(T), Head(type), Forward(type, plan));
        Equal(3 * 3 * Linear(T), 3 * 3 * Attention(T), 3 * Head(type), Both(type, plan));
        Assert.Equal(Both(type, plan).Layers + Both(type, plan).Attention + Both(type, plan).Head, Both(type, plan).Total);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void AFrozenLayerCostsNoGradientOfItsWeights(string type)
    {
        // The embeddings below train, so that the gradient passes through it.
        var plan = new ForwardPlan([new(0, Trains: false), new(1)]);
        Equal((2 + 3) * Linear(T), (3 + 3) * Attention(T), 3 * Head(type), Both(type, plan));
        Equal(2 * Linear(T), 2 * Attention(T), Head(type), Forward(type, plan));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void WhereNothingBelowTrainsNoGradientPasses(string type)
    {
        LayerRun[] runs = [new(0, Trains: false), new(1), new(0, Trains: false)];

        // Forward alone; its own gradients; what passes on to it. The head only passes the gradient on.
        Equal(
            (1 + 3 + 2) * Linear(T), (1 + 3 + 3) * Attention(T), 2 * Head(type),
            Both(type, new ForwardPlan(runs, TrainsRest: false)));
        Equal(
            (2 + 3 + 2) * Linear(T), (3 + 3 + 3) * Attention(T), 3 * Head(type), Both(type, new ForwardPlan(runs)));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void WhereNothingTrainsThereIsOnlyThePassForward(string type)
    {
        var plan = new ForwardPlan([new(0, Trains: false), new(1, Trains: false)], TrainsRest: false);
        Assert.Equal(Forward(type, plan), Both(type, plan));
    }

    /// <summary>Scales and masks multiply what is computed all the same.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void ScalesAndMasksSaveNothing(string type)
    {
        var plan = new ForwardPlan([new(0, Scale: 0.5), new(1, Mask: Mask)], RestMask: Mask);
        Equal(2 * Linear(T), 2 * Attention(T), Head(type), Forward(type, plan));
        Equal(3 * 2 * Linear(T), 3 * 2 * Attention(T), 3 * Head(type), Both(type, plan));
    }

    /// <summary>Linear layers by the tokens that they see, attention by their square.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void ALayerCostsByTheTokensThatItSees(string type)
    {
        var plan = new ForwardPlan([new(0), new(1, Tokens: new TokenSubset(4, 1)), new(1, Tokens: new TokenSubset(9, 1))]);
        Equal((2 * Linear(T)) + Linear(4), (2 * Attention(T)) + Attention(4), Head(type), Forward(type, plan));
        Equal(
            3 * ((2 * Linear(T)) + Linear(4)), 3 * ((2 * Attention(T)) + Attention(4)), 3 * Head(type), Both(type, plan));
        Assert.Equal((4 * Linear(T), 9 * Attention(T)), (6 * Linear(4), 9 * Attention(4) * T * T / 16));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void ShorterSequencesCostByTheirLength(string type)
    {
        var plan = ForwardPlan.Plain(2);
        FlopsCount count = Ledger.ForwardAndBackward(Config(type), plan, B, 3, N);
        Equal(3 * 2 * Linear(3), 3 * 2 * Attention(3), 3 * Head(type), count);
    }

    /// <summary>A frozen execution of a layer that also trains elsewhere: the executions count, each by itself.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void EveryExecutionCountsByItself(string type)
    {
        var plan = new ForwardPlan(
            [new(0, Trains: false), new(1), new(1, Trains: false, Scale: 0.5, Tokens: new TokenSubset(4, 1)), new(0)]);
        Equal(
            (2 * Linear(T)) + (3 * Linear(T)) + (2 * Linear(4)) + (3 * Linear(T)),
            3 * ((3 * Attention(T)) + Attention(4)), 3 * Head(type), Both(type, plan));
    }

    /// <summary>Layers below all that trains have no way back, and run once.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void RecomputedLayersCostOneMorePassForward(string type)
    {
        LayerRun[] runs = [new(0, Trains: false), new(1), new(0, Trains: false)];
        Equal(
            (1 + 4 + 3) * Linear(T), (1 + 4 + 4) * Attention(T), 2 * Head(type),
            Ledger.ForwardAndBackward(Config(type), new ForwardPlan(runs, TrainsRest: false), B, T, N, recompute: true));
        Equal(
            (3 + 4 + 3) * Linear(T), (4 + 4 + 4) * Attention(T), 3 * Head(type),
            Ledger.ForwardAndBackward(Config(type), new ForwardPlan(runs), B, T, N, recompute: true));
    }

    private static double Product(long rows, long inner, long columns) => 2 * rows * inner * columns;

    /// <summary>Queries, keys and values; the attention's output; the feed-forward layer up and down.</summary>
    private static double Linear(int length) =>
        Product(B * length, Hidden, 3 * Hidden) + Product(B * length, Hidden, Hidden)
        + Product(B * length, Hidden, Ffn) + Product(B * length, Ffn, Hidden);

    /// <summary>Scores and mixing, in every head over the whole square.</summary>
    private static double Attention(int length) =>
        B * Heads * (Product(length, HeadSize, length) + Product(length, length, HeadSize));

    /// <summary>The decoder, before which BERT has a transform.</summary>
    private static double Head(string type) =>
        Product(N, Hidden, Vocabulary) + (type == "bert" ? Product(N, Hidden, Hidden) : 0);

    private static ModelConfig Config(string type) => type == "bert"
        ? new BertConfig { Layers = 2, HiddenSize = Hidden, Heads = Heads, FfnSize = Ffn, ContextLength = T, VocabularySize = Vocabulary }
        : new Gpt2Config { Layers = 2, HiddenSize = Hidden, Heads = Heads, FfnSize = Ffn, ContextLength = T, VocabularySize = Vocabulary };

    private static FlopsCount Forward(string type, ForwardPlan plan) => Ledger.Forward(Config(type), plan, B, T, N);

    private static FlopsCount Both(string type, ForwardPlan plan) => Ledger.ForwardAndBackward(Config(type), plan, B, T, N);

    private static void Equal(double layers, double attention, double head, FlopsCount actual) =>
        Assert.Equal(new FlopsCount(layers, attention, head), actual);
}
