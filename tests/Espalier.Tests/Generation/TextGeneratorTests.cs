using System.Text;
using Espalier.Generation;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Generation;

public class TextGeneratorTests
{
    private static readonly ModelConfig Config = Sample.Model(2);

    [Fact]
    public void GreedyTakesTheLargestLogitAndSlidesOverALongText()
    {
        using Model model = Sample.ModelOf(Config);
        var generator = new TextGenerator(model, ForwardPlan.Plain(2), Compute.Cpu);
        int[] generated = [.. generator.Continue([3, 1, 4], new TokenSampler(0), seed: 1).Take(2 * Config.ContextLength)];

        List<int> text = [3, 1, 4];
        using var noGrad = new NoGrad();
        foreach (int token in generated)
        {
            long[] context = [.. text.TakeLast(Config.ContextLength).Select(id => (long)id)];
            Tensor logits = ForwardPass.Logits(
                model, Tensor.From<long>(context, [1, context.Length]), ForwardPlan.Plain(2));
            Assert.Equal(logits.ArgMax().ToArray<long>()[^1], token);
            text.Add(token);
        }

        Assert.True(generated.Distinct().Count() > 1);
    }

    [Fact]
    public void OfALongPromptTheEndCounts()
    {
        using Model model = Sample.ModelOf(Config);
        var generator = new TextGenerator(model, ForwardPlan.Plain(2), Compute.Cpu);
        int[] prompt = [.. Enumerable.Range(0, 20)];
        Assert.Equal(Continue(prompt[^Config.ContextLength..]), Continue(prompt));

        int[] Continue(int[] from) => [.. generator.Continue(from, new TokenSampler(0), seed: 1).Take(8)];
    }

    [Fact]
    public void TheSeedDecides()
    {
        using Model model = Sample.ModelOf(Config);
        var generator = new TextGenerator(model, ForwardPlan.Plain(2), Compute.Cpu);
        int[] first = Draw(1);
        Assert.Equal(first, Draw(1));
        Assert.NotEqual(first, Draw(2));

        int[] Draw(ulong seed) => [.. generator.Continue([7], new TokenSampler(), seed).Take(30)];
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("é ö 漢字 🌳!")]
    public void CharactersThatArriveInPiecesComeOutWhole(string text)
    {
        var output = new StringWriter();
        var pieces = new Utf8Pieces(output);
        foreach (byte one in Encoding.UTF8.GetBytes(text))
        {
            pieces.Write([one]);
            Assert.StartsWith(output.ToString(), text, StringComparison.Ordinal);
            Assert.DoesNotContain('\uFFFD', output.ToString());
        }

        pieces.Complete();
        Assert.Equal(text, output.ToString());
    }

    [Fact]
    public void WhatIsNoCharacterIsReplaced()
    {
        byte[] broken = [(byte)'a', 0xFF, (byte)'b', 0xE6, (byte)'c', 0xE6, 0xBC];
        var output = new StringWriter();
        var pieces = new Utf8Pieces(output);
        foreach (byte one in broken)
        {
            pieces.Write([one]);
        }

        pieces.Complete();
        Assert.Equal(Encoding.UTF8.GetString(broken), output.ToString());
    }
}
