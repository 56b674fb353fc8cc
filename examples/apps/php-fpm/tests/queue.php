<?php

// It is not a page.
if (PHP_SAPI !== 'cli') {
    http_response_code(404);
    exit;
}

$_SERVER['REQUEST_URI'] = '/queue?of=cars';
ob_start();
require __DIR__ . '/../index.php';
$page = ob_get_clean();

if ($page !== "Answered by cli at /queue\n") {
    fwrite(STDERR, "the page is $page");
    exit(1);
}
