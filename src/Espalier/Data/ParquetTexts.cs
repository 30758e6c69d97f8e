using System.Text;
using Parquet;
using Parquet.Schema;

namespace Espalier.Data;

/// <summary>Reads the texts of one column of a parquet file, one row group in memory at a time.</summary>
internal static class ParquetTexts
{
    /// <summary>The text of every row; an empty one where there is none.</summary>
    /// <param name="stored">The file.</param>
    /// <param name="path">Its name, for errors.</param>
    /// <param name="column">The column: of strings, or of bytes that are UTF-8.</param>
    /// <exception cref="UserErrorException">The file is damaged or cut off, or has no such column of texts.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Of(Stream stored, string path, string column)
    {
        ParquetReader reader = Try(path, () => ParquetReader.CreateAsync(stored, leaveStreamOpen: true));
        try
        {
            DataField field = Column(reader.Schema, path, column);
            for (int group = 0; group < reader.RowGroupCount; group++)
            {
                int number = group;
                foreach (ReadOnlyMemory<byte> text in Try(path, () => TextsOf(reader, number, field, path)))
                {
                    yield return text;
                }
            }
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static DataField Column(ParquetSchema schema, string path, string column)
    {
        Field? field = schema.Fields.FirstOrDefault(field => field.Name == column);
        if (field is DataField data && !data.IsArray && (IsString(data) || IsBytes(data)))
        {
            return data;
        }

        string[] texts = [.. schema.Fields.OfType<DataField>().Where(data => !data.IsArray && IsString(data)).Select(data => data.Name)];
        throw new UserErrorException(
            field is null ? $"{path} has no column \"{column}\"."
                : field is DataField { IsArray: false } other ? $"The column \"{column}\" of {path} holds {other.ClrType.Name}, not text."
                : $"The column \"{column}\" of {path} is nested: it holds lists or records, not one text a row.",
            texts.Length > 0 ? $"Columns of text are: {string.Join(", ", texts)}. Name one with --column." : "It has no column of text at all.");
    }

    private static async Task<IReadOnlyList<ReadOnlyMemory<byte>>> TextsOf(ParquetReader reader, int group, DataField field, string path)
    {
        using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
        if (IsString(field))
        {
            var texts = new string?[rows.RowCount];
            await rows.ReadAsync(field, texts.AsMemory()).ConfigureAwait(false);
            return Array.ConvertAll(texts, text => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(text ?? ""));
        }

        var bytes = new byte[]?[rows.RowCount];
        await rows.ReadAsync(field, bytes.AsMemory()).ConfigureAwait(false);
        return Array.ConvertAll(bytes, text =>
        {
            Corpus.RequireUtf8(text, path, offset: 0);
            return (ReadOnlyMemory<byte>)text;
        });
    }

    private static bool IsString(DataField field) => field.ClrType == typeof(ReadOnlyMemory<char>) || field.ClrType == typeof(string);

    private static bool IsBytes(DataField field) => field.ClrType == typeof(ReadOnlyMemory<byte>) || field.ClrType == typeof(byte[]);

    /// <summary>A damaged file makes the reader fail in many ways; all mean the same here.</summary>
    private static T Try<T>(string path, Func<Task<T>> read)
    {
        try
        {
            return read().GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not (UserErrorException or OutOfMemoryException))
        {
            throw new UserErrorException($"{path} is not a whole parquet file: {e.Message}", "Was it copied or downloaded to its end?", e);
        }
    }
}
