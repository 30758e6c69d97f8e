using Espalier.Data;
using Espalier.Generation;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary>Writes what a model makes of a prompt.</summary>
/// <param name="loaded">The model.</param>
/// <param name="generator">Draws its tokens.</param>
/// <param name="sampler">How.</param>
/// <param name="tokens">How many at most.</param>
/// <param name="stopsAtEnd">Whether the end of the document ends it.</param>
internal sealed class Continuation(LoadedModel loaded, TextGenerator generator, TokenSampler sampler, int tokens, bool stopsAtEnd)
{
    /// <summary>The prompt as in training: a document, of which this is the beginning.</summary>
    /// <exception cref="UserErrorException">It has no token at all.</exception>
    public int[] Context(string prompt)
    {
        int[] context = [.. loaded.Tokenizer.DocumentBoundary is int boundary ? [boundary] : Array.Empty<int>(), .. loaded.Tokenizer.Encode(prompt)];
        return context.Length > 0
            ? context
            : throw new UserErrorException("The model's tokenizer has no token for the beginning of a document: give a --prompt.");
    }

    /// <summary>Writes what follows a prompt, as it comes.</summary>
    /// <param name="context">The prompt's tokens.</param>
    /// <param name="seed">Of the draws.</param>
    /// <param name="output">Where to.</param>
    /// <param name="stop">Ends it early.</param>
    /// <returns>The tokens that were drawn, and what ended them: length, document or stopped.</returns>
    public (int Tokens, string End) Write(int[] context, ulong seed, TextWriter output, CancellationToken stop)
    {
        int?[] ends = [loaded.Tokenizer.EndOfSequence, loaded.Tokenizer.DocumentBoundary];
        var text = new Utf8Pieces(output);
        var decoded = new DecodeStream(loaded.Tokenizer, context);
        int drawn = 0;
        string end = "length";
        foreach (int token in generator.Continue(context, sampler, seed).Take(tokens))
        {
            if (stop.IsCancellationRequested || (stopsAtEnd && ends.Contains(token)))
            {
                end = stop.IsCancellationRequested ? "stopped" : "document";
                break;
            }

            // A model may have more rows of embedding than its tokenizer has tokens; those stand for nothing.
            if (token < loaded.Tokenizer.VocabularySize)
            {
                text.Write(decoded.Next(token));
            }

            drawn++;
        }

        text.Write(decoded.Rest());
        text.Complete();
        return (drawn, end);
    }
}
