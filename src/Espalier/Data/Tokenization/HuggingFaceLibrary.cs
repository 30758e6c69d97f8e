using System.Runtime.CompilerServices;
using Tokenizers.DotNet;

namespace Espalier.Data;

/// <summary>A tokenizer of Hugging Face's library, which is loaded with the first one.</summary>
internal sealed class HuggingFaceLibrary
{
    private readonly Tokenizers.DotNet.Tokenizer _tokenizer;

    /// <param name="tokenizerJson">A <c>tokenizer.json</c>.</param>
    /// <exception cref="UserErrorException">The library does not take the file, or cannot be loaded.</exception>
    public HuggingFaceLibrary(byte[] tokenizerJson)
    {
        string path = Path.Combine(Path.GetTempPath(), $"espalier-{Guid.NewGuid():N}.json");
        try
        {
            File.WriteAllBytes(path, tokenizerJson);
            _tokenizer = Open(path);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException
            or FileNotFoundException or FileLoadException or TypeInitializationException)
        {
            throw new UserErrorException(
                "Hugging Face's library, which would do it, cannot be loaded here (libhf_tokenizers of the package Tokenizers.DotNet).",
                "It is built for Linux on x64 with glibc; the file has to lie beside Espalier's own.",
                e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"Hugging Face's library needs a temporary file, which cannot be written: {e.Message}", inner: e);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>The ids of a text.</summary>
    public uint[] Encode(string text)
    {
        try
        {
            return _tokenizer.Encode(text);
        }
        catch (TokenizerException e)
        {
            throw new UserErrorException($"Hugging Face's library cannot encode a text: {e.Message}", inner: e);
        }
    }

    /// <summary>The text of some ids.</summary>
    public string Decode(uint[] ids)
    {
        try
        {
            return _tokenizer.Decode(ids);
        }
        catch (TokenizerException e)
        {
            throw new UserErrorException($"Hugging Face's library cannot decode {ids.Length} ids: {e.Message}", inner: e);
        }
    }

    /// <summary>By itself, so that the package is looked for inside the <c>try</c> of the constructor.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Tokenizers.DotNet.Tokenizer Open(string path)
    {
        try
        {
            return new Tokenizers.DotNet.Tokenizer(path);
        }
        catch (TokenizerException e)
        {
            throw new UserErrorException($"Hugging Face's library does not take it either: {e.Message}", inner: e);
        }
    }
}
